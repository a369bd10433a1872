"""Decoders agree with slow definitions from the papers: one cell at a time, in plain floats."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotpath.kernels.cpu.interface import CpuKernels
from hotpath.runtime import decode
from hotpath.runtime.errors import NetworkFailed
from tests.support.described import load_network
from tests.support.errors import refusal
from tests.support.examples import examples

on_each_python = pytest.mark.pythons("NumPy 1 and 2 promote integers differently")

SEEDS = st.integers(0, 2**31)
NO_KERNELS = CpuKernels()
FRAME = (640, 480)

settings.register_profile("decoders", max_examples=40, deadline=None)
settings.load_profile("decoders")


def changed(name, **values):
    """A published network with some keys changed."""
    network = load_network(name)
    network.__dict__.update(values)
    return network


def maps_of(network, noise, spread=1.0):
    return [(noise.randn(*shape) * spread).astype(np.float32) for shape in decode.shapes(network)]


def start(noise):
    """(state, scale) somewhere in the frame."""
    x, y = noise.uniform(100, 500), noise.uniform(100, 400)
    state = np.array([x, y, noise.uniform(20, 90), noise.uniform(20, 90)])
    return state, tuple(noise.uniform(0.5, 3, 2))


def sigmoid(value):
    return 1 / (1 + math.exp(-value))


def check_vote(network, maps, proposals, window, noise):
    """Compare with the winner among proposals (score, x, y, w, h), and the state after it."""
    state, scale = start(noise)
    best, top = None, -math.inf
    w0, h0 = state[2] * scale[0], state[3] * scale[1]

    def side(w, h):
        return math.sqrt((w + (w + h) / 2) * (h + (w + h) / 2))

    def change(ratio):
        return max(ratio, 1 / ratio)

    for index, (score, x, y, w, h) in enumerate(proposals):
        shape = change((w0 / h0) / (w / h)) * change(side(w, h) / side(w0, h0))
        penalty = math.exp((1 - shape) * network.penalty)
        value = (
            penalty * score * (1 - network.window_influence)
            + window[index] * network.window_influence
        )
        if value > top:
            best, top = (index, score, penalty, x, y, w, h), value
    index, score, penalty, x, y, w, h = best
    rate = (penalty * score * network.size_lr) ** network.size_lr_power
    centre = (state[0] + x / scale[0], state[1] + y / scale[1])
    sizes = [a * (1 - rate) + b * rate for a, b in zip(state[2:], (w / scale[0], h / scale[1]))]
    wanted = [min(max(value, 0), limit) for value, limit in zip(centre, FRAME)]
    wanted += [max(network.min_size, min(value, limit)) for value, limit in zip(sizes, FRAME)]
    found, got = decode.create(network, NO_KERNELS).select(maps, state, scale, *FRAME)
    assert found == index
    assert got == pytest.approx(score, rel=1e-12)
    np.testing.assert_allclose(state, wanted, rtol=1e-12)


def hanning(size):
    line = [0.5 - 0.5 * math.cos(2 * math.pi * i / (size - 1)) for i in range(size)]
    return [a * b for a in line for b in line]


@on_each_python
@given(SEEDS, st.sampled_from(["siamban", "lighttrack"]))
def test_points_are_those_of_the_papers(seed, name):
    noise = np.random.RandomState(seed)
    network = load_network(name)
    maps = maps_of(network, noise)
    maps[1] = np.abs(maps[1]) * 40 + 5
    size = network.map_size
    proposals = []
    for row in range(size):
        for column in range(size):
            left, top, right, bottom = (float(v) for v in maps[1][0, :, row, column])
            if network.score == "softmax":
                a, b = (float(v) for v in maps[0][0, :, row, column])
                score = math.exp(b) / (math.exp(a) + math.exp(b))
            else:
                score = sigmoid(float(maps[0][0, 0, row, column]))
            proposals.append(
                (
                    score,
                    (column - size // 2) * network.stride + (right - left) / 2,
                    (row - size // 2) * network.stride + (bottom - top) / 2,
                    left + right,
                    top + bottom,
                )
            )
    check_vote(network, maps, proposals, hanning(size), noise)


@on_each_python
@given(SEEDS, st.sampled_from([(0.33, 0.5, 1.0, 2.0, 3.0), (1.0,), (0.5, 2.0)]))
def test_anchors_are_those_of_the_paper(seed, ratios):
    noise = np.random.RandomState(seed)
    network = changed("siamrpnpp_resnet50", ratios=ratios, scales=(8.0, 4.0), map_size=9)
    maps = maps_of(network, noise, 0.5)
    size = network.map_size
    stride = network.stride
    proposals = []
    shapes = []
    for ratio in ratios:
        width = int(math.sqrt(stride * stride / ratio))
        shapes += [(width * s, int(width * ratio) * s) for s in network.scales]
    for kind, (width, height) in enumerate(shapes):
        for row in range(size):
            for column in range(size):
                cls = [float(maps[0][0, kind + k * len(shapes), row, column]) for k in (0, 1)]
                dx, dy, dw, dh = (
                    float(maps[1][0, kind + k * len(shapes), row, column]) for k in range(4)
                )
                proposals.append(
                    (
                        math.exp(cls[1]) / (math.exp(cls[0]) + math.exp(cls[1])),
                        (column - size // 2) * stride + dx * width,
                        (row - size // 2) * stride + dy * height,
                        width * math.exp(dw),
                        height * math.exp(dh),
                    )
                )
    check_vote(network, maps, proposals, hanning(size) * len(shapes), noise)


@on_each_python
@given(
    SEEDS,
    st.sampled_from(["two_maps", "one_map", "box", "scored_box"]),
    st.sampled_from([0.0, 0.5]),
)
def test_corners_are_the_means_of_their_heat(seed, output, cell_centre):
    noise = np.random.RandomState(seed)
    keys = {"output": output, "cell_centre": cell_centre, "map_size": 8, "score": "sigmoid"}
    network = changed("stark_s50", **keys)
    maps = maps_of(network, noise, 3.0)
    state, scale = start(noise)
    expected = None  # the score of heat is held to the compiled kernels elsewhere
    if output in ("box", "scored_box"):
        maps = [np.array([[[0.4, 0.6, 0.3, 0.2]]], np.float32)] + maps[1:]
        expected = sigmoid(float(maps[1][0, 0])) if output == "scored_box" else 1.0
        cx, cy, w, h = (float(v) for v in maps[0].ravel())
    else:
        corners = []
        for heat in np.concatenate([m.reshape(-1, 8, 8) for m in maps]):
            total = sum(math.exp(v) for v in heat.ravel())
            corners.append([0.0, 0.0])
            for row in range(8):
                for column in range(8):
                    share = math.exp(heat[row, column]) / total
                    corners[-1][0] += share * (column + cell_centre) / 8
                    corners[-1][1] += share * (row + cell_centre) / 8
        (x1, y1), (x2, y2) = corners
        cx, cy, w, h = (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1
    side_x, side_y = network.search / scale[0], network.search / scale[1]
    centre_x, centre_y = state[0] + (cx - 0.5) * side_x, state[1] + (cy - 0.5) * side_y
    low = [centre_x - w * side_x / 2, centre_y - h * side_y / 2]
    high = [centre_x + w * side_x / 2, centre_y + h * side_y / 2]
    low = [min(max(0, v), limit - 10) for v, limit in zip(low, FRAME)]
    high = [min(max(10, v), limit) for v, limit in zip(high, FRAME)]
    _, score = decode.create(network, NO_KERNELS).select(maps, state, scale, *FRAME)
    assert expected is None or score == pytest.approx(expected, rel=1e-9)
    sizes = [max(10, b - a) for a, b in zip(low, high)]
    np.testing.assert_allclose(state[2:], sizes, rtol=1e-9)
    np.testing.assert_allclose(state[:2] - state[2:] / 2, low, rtol=1e-9, atol=1e-9)


@on_each_python
@given(SEEDS, st.sampled_from([(1.0, 0, None), (0.0, 1, 0.3), (0.7, 0, 0.0), (0.7, 2, None)]))
def test_centres_are_the_papers_and_sizes_follow_the_score(seed, follows):
    noise = np.random.RandomState(seed)
    lr, power, window = follows
    values = {"relative_to": "target", "box_pixels": "exact", "min_score": 0.0}
    values.update(size_lr=lr, score_power=power)
    values.update(
        {"vote": "product"} if window is None else {"vote": "blend", "window_influence": window}
    )
    network = changed("vittrack", score="sigmoid", **values)
    maps = maps_of(network, noise)
    maps[1] = np.abs(maps[1]) * 0.1 + 0.05
    state, scale = start(noise)
    before, best, top = state.copy(), None, -1.0
    for row in range(16):
        for column in range(16):
            bump = (
                math.sin(math.pi * (row + 1) / 17) ** 2 * math.sin(math.pi * (column + 1) / 17) ** 2
            )
            value = sigmoid(float(maps[0][0, 0, row, column]))
            value = value * bump if window is None else value * (1 - window) + bump * window
            if value > top:
                best, top = (row, column), value
    row, column = best
    index, score = decode.create(network, NO_KERNELS).select(maps, state, scale, *FRAME)
    assert index == row * 16 + column
    own = sigmoid(float(maps[0][0, 0, row, column]))
    assert score == pytest.approx(top if window is None else own, rel=1e-9)
    rate = lr * own**power
    for axis, cell in ((0, column), (1, row)):
        side = network.search / scale[axis]
        place = (cell + float(maps[2][0, axis, row, column])) / 16 - 0.5
        assert state[axis] == pytest.approx(before[axis] + place * side, rel=1e-9)
        size = float(maps[1][0, axis, row, column]) * side
        size = before[2 + axis] + rate * (size - before[2 + axis])
        assert state[2 + axis] == pytest.approx(max(size, 1.0), rel=1e-9)


@on_each_python
@examples(5)
@given(SEEDS)
def test_siamfc_follows_the_authors_arithmetic(seed):
    noise = np.random.RandomState(seed)
    network = load_network("siamfc_015")
    decoder = decode.create(network, NO_KERNELS)
    responses = [(noise.randn(1, 1, 17, 17) * 2).astype(np.float32) for _ in range(3)]
    state, scale = start(noise)
    expected = state.copy()

    large = np.stack(
        [cv2.resize(r[0, 0], (272, 272), interpolation=cv2.INTER_CUBIC) for r in responses]
    ).astype(np.float64)
    large[[0, 2]] *= 0.9745
    chosen = int(np.argmax([part.max() for part in large]))
    chosen_map = (large[chosen] - large[chosen].min()) / (large[chosen] - large[chosen].min()).sum()
    line = [0.5 - 0.5 * math.cos(2 * math.pi * i / 271) for i in range(272)]
    total = sum(line) ** 2
    best, top = None, -1.0
    for row in range(272):
        for column in range(272):
            value = (1 - 0.176) * chosen_map[row, column] + 0.176 * line[row] * line[column] / total
            if value > top + 1e-18:
                best, top = (row, column), value
    factor = 1.0375 ** (chosen - 1)
    for axis, place in ((0, best[1]), (1, best[0])):
        expected[axis] += (place - 271 / 2) * 8 / 16 / scale[axis] * factor
        expected[axis] = min(max(expected[axis], 0), FRAME[axis])
    expected[2:] *= (1 - 0.59) + 0.59 * factor

    for index, maps in enumerate(responses):
        result = decoder.look(index, (maps,))
    index, score = decoder.select(result, state, scale, *FRAME)
    assert index == best[0] * 272 + best[1]
    np.testing.assert_allclose(state, expected, rtol=1e-9)
    assert 0 <= score <= 1


@pytest.mark.parametrize(
    "name", ["siamban", "siamrpnpp_resnet50", "vittrack", "stark_s50", "stark_lightning"]
)
def test_maps_without_a_finite_number_are_refused(name):
    network = load_network(name)
    maps = [np.full(shape, np.nan, np.float32) for shape in decode.shapes(network)]
    with refusal(NetworkFailed, "no score"):
        decode.create(network, NO_KERNELS).select(maps, np.full(4, 50.0), (1.0, 1.0), *FRAME)


@pytest.mark.parametrize("name", ["siamban", "siamrpnpp_resnet50"])
def test_a_cell_that_is_not_finite_never_wins(name):
    network = load_network(name)
    noise = np.random.RandomState(2)
    maps = maps_of(network, noise, 0.1)
    maps[1] = np.abs(maps[1]) + 0.01
    maps[0][:, :, 12, 12] = np.nan
    maps[1][:, :, 12, 13] = np.inf
    state = np.array([100.0, 100.0, 40.0, 40.0])
    best, score = decode.create(network, NO_KERNELS).select(maps, state, (1.0, 1.0), *FRAME)
    assert best % 625 not in (12 * 25 + 12, 12 * 25 + 13)
    assert np.isfinite(state).all() and np.isfinite(score)
