"""The select of windows on the processor, without crop and network."""

import numpy as np

from hotpath.kernels.cuda import records
from hotpath.kernels.cuda.select import head
from hotpath.runtime import geometry
from hotpath.runtime.devices.gpu import frame_settings

FRAME = 1280, 720


def select(shim, net, maps, states, threads=256, half=False, gap=0, frame=FRAME):
    """What the kernels find in windows: ``records.Seen`` of each.

    Args:
        shim: ``tests.fakes.cuda.shim.Shim``.
        net: the network.
        maps: its maps of one window; all windows have the same.
        states: of each window's target.
        threads: of a block.
        half: whether the maps are given in half precision.
        gap: numbers between the maps of two windows.
        frame: (width, height).
    """
    own, kind = head(frame_settings(net).select, half), np.float16 if half else np.float32
    given = [_repeated(np.ascontiguousarray(values, kind), len(states), gap) for values in maps]
    aparts = [values.size + gap for values in maps]
    taken = own.maps([values.ctypes.data for values in given])
    aparts += aparts[-1:] * (len(taken) - len(aparts))
    if hasattr(shim, "memory"):  # the interpreter
        shim.memory = given
    places = [n for pair in zip(map(_Address, taken), aparts) for n in pair]
    looks, seen = (records.Look * len(states))(), (records.Seen * len(states))()
    for look, state in zip(looks, states):
        state = np.array(state, np.float64)
        look.around[:] = state
        look.window[:], look.scale[:] = geometry.search_window(net, state)
    picture = records.Frame(frame_width=frame[0], frame_height=frame[1])
    more = records.array_of(picture), records.array_of(looks), int(half), records.array_of(seen)
    shim.launch("hp_select_" + own.source, len(states), threads, *own.tables, *places, *more)
    return list(seen)


def _repeated(values, count, gap):
    rows = np.full((count, values.size + gap), np.nan, values.dtype)
    rows[:, : values.size] = values.ravel()
    return rows


class _Address:
    """An address in the shape that ``Shim`` takes."""

    def __init__(self, at):
        self.ctypes, self.data = self, at
