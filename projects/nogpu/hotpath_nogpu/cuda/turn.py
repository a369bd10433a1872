"""The kernels of places on the processor, without crop and network."""

import numpy as np

from hotpath.kernels import records as settings_records
from hotpath.kernels.cuda import records
from hotpath.kernels.settings import ARGMAX, MOST_PLACES, PointsSettings, weights_of
from hotpath.kernels.votes import hanning_window, inner_hanning_window
from hotpath.runtime.devices.gpu import frame_settings
from hotpath.runtime.frames import geometry

FRAME = 1280, 720


def looks_of(net, states, prior=ARGMAX):
    """The records of windows around states."""
    weights = weights_of(frame_settings(net).select, prior)
    looks = (records.Look * len(states))()
    for look, state in zip(looks, states):
        state = np.array(state, np.float64)
        look.around[:] = state
        look.window[:], look.scale[:] = geometry.search_window(net, state)
        (look.learning_rate, look.influence), look.share = weights, prior.share
        look.most, look.apart = prior.most, prior.apart
    return looks


def propose(shim, net, maps, states, prior=ARGMAX, threads=256, half=False, gap=0, frame=FRAME):
    """What ``hp_peaks`` finds in windows: ``records.Seen`` of each.

    Args:
        shim: ``hotpath_nogpu.cuda.shim.Shim``.
        net: the network.
        maps: its maps of one window; all windows have the same.
        states: of each window's target.
        prior: of all windows.
        threads: of a block.
        half: whether the maps are given in half precision.
        gap: numbers between the maps of two windows.
        frame: (width, height).
    """
    select, kind = frame_settings(net).select, np.float16 if half else np.float32
    given = [_repeated(np.ascontiguousarray(values, kind), len(states), gap) for values in maps]
    is_points = isinstance(select, PointsSettings)
    head = records.array_of(settings_records.record(select))
    window = (hanning_window if is_points else inner_hanning_window)(select.size)
    places = [n for values, own in zip(given, maps) for n in (values, own.size + gap)]
    places += [None, 0] * (3 - len(maps))
    looks, seen = looks_of(net, states, prior), (records.Seen * len(states))()
    picture = records.Frame(frame_width=frame[0], frame_height=frame[1])
    room = np.zeros((len(states), 3 * select.size**2))
    more = records.array_of(picture), records.array_of(looks), int(half), room
    more += (records.array_of(seen),)
    tables = head, np.ascontiguousarray(window)
    shim.launch("hp_peaks", len(states), threads, int(not is_points), *tables, *places, *more)
    return list(seen)


def pool(shim, net, features, states, places, half=False):
    """The rows that ``hp_pool`` writes for the places of windows.

    Args:
        features: float32 (1, channels, cells), of every window.
        states: of each window's target.
        places: of each window, (n, 4).
    """
    channels, side = features.shape[1], int(round(features.shape[2] ** 0.5))
    given = np.repeat(features.astype(np.float16 if half else np.float32), len(states), axis=0)
    seen = np.zeros(len(states), records.PLACES)
    for own, there in zip(seen, places):
        own["count"] = len(there)
        own["state"][: len(there)] = there
    rows = np.zeros(seen["count"].sum(), records.row_of(channels))
    sums = np.full((len(rows), 4 * channels), np.nan, np.float32)
    looks = records.array_of(looks_of(net, states))
    numbers = features[0].size, int(half), channels, side, float(net.stride)
    grid = MOST_PLACES, len(states)
    shim.launch("hp_pool", grid, 256, looks, seen, given, *numbers, sums, rows)
    return rows["values"] * rows["scale"][:, None]


def _repeated(values, count, gap):
    rows = np.full((count, values.size + gap), np.nan, values.dtype)
    rows[:, : values.size] = values.ravel()
    return rows
