"""The kernels of places on the processor, without crop and network."""

import numpy as np

from hotpath.kernels import setting_structures as settings_records
from hotpath.kernels.cuda import frame_structures
from hotpath.kernels.settings import ARGMAX, MOST_PROPOSALS, PointsSettings, weights_of
from hotpath.kernels.votes import hanning_window, inner_hanning_window
from hotpath.runtime.devices.gpu import frame_settings
from hotpath.runtime.frames import geometry

FRAME = 1280, 720


def looks_of(net, states, prior=ARGMAX):
    """The records of windows around states."""
    weights = weights_of(frame_settings(net).select, prior)
    requests = (frame_structures.WindowRequest * len(states))()
    for request, state in zip(requests, states):
        state = np.array(state, np.float64)
        request.around[:] = state
        request.window[:], request.scale[:] = geometry.search_window(net, state)
        (request.size_lr, request.influence), request.share = weights, prior.share
        request.most, request.apart = prior.most, prior.apart
    return requests


def propose(shim, net, maps, states, prior=ARGMAX, threads=256, half=False, gap=0, frame=FRAME):
    """What ``hp_peaks`` finds in windows: ``setting_structures.WindowResult`` of each.

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
    head = frame_structures.array_of(settings_records.record(select))
    window = (hanning_window if is_points else inner_hanning_window)(select.size)
    places = [n for values, own in zip(given, maps) for n in (values, own.size + gap)]
    places += [None, 0] * (3 - len(maps))
    requests, results = (
        looks_of(net, states, prior),
        (frame_structures.WindowResult * len(states))(),
    )
    picture = frame_structures.Frame(frame_width=frame[0], frame_height=frame[1])
    room = np.zeros((len(states), 3 * select.size**2))
    more = frame_structures.array_of(picture), frame_structures.array_of(requests), int(half), room
    more += (frame_structures.array_of(results),)
    tables = head, np.ascontiguousarray(window)
    shim.launch("hp_peaks", len(states), threads, int(not is_points), *tables, *places, *more)
    return list(results)


def pool(shim, net, features, states, places, half=False):
    """The rows that ``hp_pool`` writes for the places of windows.

    Args:
        features: float32 (1, channels, cells), of every window.
        states: of each window's target.
        places: of each window, (n, 4).
    """
    channels, side = features.shape[1], int(round(features.shape[2] ** 0.5))
    given = np.repeat(features.astype(np.float16 if half else np.float32), len(states), axis=0)
    results = np.zeros(len(states), frame_structures.PROPOSALS)
    for own, there in zip(results, places):
        own["count"] = len(there)
        own["state"][: len(there)] = there
    rows = np.zeros(results["count"].sum(), frame_structures.row_of(channels))
    sums = np.full((len(rows), 4 * channels), np.nan, np.float32)
    requests = frame_structures.array_of(looks_of(net, states))
    numbers = features[0].size, int(half), channels, side, float(net.stride)
    grid = MOST_PROPOSALS, len(states)
    shim.launch("hp_pool", grid, 256, requests, results, given, *numbers, sums, rows)
    return rows["values"] * rows["scale"][:, None]


def _repeated(values, count, gap):
    rows = np.full((count, values.size + gap), np.nan, values.dtype)
    rows[:, : values.size] = values.ravel()
    return rows
