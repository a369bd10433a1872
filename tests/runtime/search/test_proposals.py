"""A window proposes the boxes of its peaks, and the classifier chooses a followed target's."""

from types import SimpleNamespace

import numpy as np
import pytest

from hotpath.kernels import cpu
from hotpath.kernels.cpu import select
from hotpath.runtime import decode
from hotpath.runtime.errors import NetworkFailed
from hotpath.runtime.search import search
from hotpath.runtime.search.proposals import APART, MOST_PEAKS, Apart, AtPeaks, Peaks
from hotpath.runtime.types import Seen
from tests.support.described import load_network

CELLS = 16
FRAME = (640, 480)
BEST, RIVAL, WEAK = (7, 8), (3, 12), (12, 2)  # row, column


def seen(*scores):
    """A window whose score map is 0 but for ((row, column), score)."""
    network = load_network("kestrel")
    maps = [np.zeros(shape, np.float32) for shape in decode.shapes(network)]
    maps[1][:], maps[2][:] = 0.25, 0.5
    for (row, column), score in scores:
        maps[0][0, 0, row, column] = score
    return network, Seen(np.array([320.0, 240.0, 40, 40]), (1.6, 1.6), None, tuple(maps))


PEAKS = (BEST, 0.8), (RIVAL, 0.7), (WEAK, 0.2)


def cells_of(proposed):
    return [divmod(each.cell, CELLS) for each in proposed]


def at_peaks(network, share=0.2):
    network.peak_share = share
    return AtPeaks(network, cpu.load())


@pytest.mark.parametrize("share, found", [(0.2, 3), (0.5, 2), (0.9, 1)])
def test_other_peaks_follow_the_best_cell(share, found):
    network, window = seen(*PEAKS, ((BEST[0], BEST[1] + 1), 0.7))  # a neighbour is no peak
    proposed = at_peaks(network, share).of(window, FRAME)
    assert cells_of(proposed) == [BEST, RIVAL, WEAK][:found]
    assert [round(each.score, 3) for each in proposed] == [0.8, 0.7, 0.2][:found]


@pytest.mark.parametrize("name, share", [("kestrel", 0.0), ("siamrpnpp", 0.2)])
def test_no_share_or_a_family_without_places_in_its_cells_leaves_only_the_best_box(name, share):
    network = load_network(name)
    assert load_network("kestrel").peak_share and not at_peaks(network, share).several


def test_a_flat_map_proposes_few_boxes():
    network, window = seen()
    window.maps[0][:] = 0.5  # every cell is a peak
    assert len(at_peaks(network).of(window, FRAME)) == 1 + MOST_PEAKS


def test_places_of_a_wide_window_are_apart():
    beside = BEST[0], BEST[1] + APART - 1
    network, window = seen(*PEAKS, (beside, 0.75))
    before = [each.copy() for each in window.maps]
    proposed = Apart(network, cpu.load()).of(window, FRAME)
    assert cells_of(proposed) == [BEST, RIVAL]  # WEAK is below SHARE
    assert all((one == other).all() for one, other in zip(before, window.maps))


def test_a_peaks_box_is_that_of_a_window_in_which_it_is_alone():
    network, window = seen(*PEAKS)
    proposals = at_peaks(network)
    for each, peak in zip(proposals.of(window, FRAME), PEAKS):
        alone = proposals.of(seen(peak)[1], FRAME)[-1]
        assert each.cell == alone.cell and (each.state == alone.state).all()


def test_a_window_without_a_finite_score_has_no_box():
    network, window = seen(*PEAKS)
    window.maps[0][:] = np.nan
    with pytest.raises(NetworkFailed):
        at_peaks(network).of(window, FRAME)


@pytest.mark.parametrize(
    "looks, chosen", [((1, -1, -1), BEST), ((-1, 1, -1), RIVAL), ((-1.5, -0.1, -1), BEST)]
)
def test_a_followed_target_is_where_the_classifier_knows_it(looks, chosen):
    network, window = seen(*PEAKS)
    own = search.create(network, cpu.load(), 1)
    own.classifier = SimpleNamespace(judge=lambda states, shown: np.array(looks, float))
    state, score = own.choose(window, FRAME)
    assert bool(own.presence.doubted) is (chosen == RIVAL)  # it is far from the best cell
    assert score == pytest.approx(dict(PEAKS)[chosen])
    row, column = chosen
    expected = 320 + ((column + 0.5) / CELLS - 0.5) * 256 / 1.6
    assert state[0] == pytest.approx(expected) and (state[1] < 240) == (row < 8)


def test_a_rival_beside_the_best_cell_is_not_doubted():
    near = BEST[0], BEST[1] + 2
    network, window = seen((BEST, 0.8), (near, 0.7))
    own = search.create(network, cpu.load(), 1)
    own.classifier = SimpleNamespace(judge=lambda states, shown: np.array([-1.0, 1.0]))
    assert own.choose(window, FRAME)[1] == pytest.approx(0.7) and not own.presence.doubted


@pytest.mark.parametrize("kind, channels", [("none", 1), ("sigmoid", 1), ("softmax", 2)])
@pytest.mark.parametrize("side", [15, 16])
def test_compiled_peaks_are_those_of_the_definition(kind, channels, side):
    compiled = cpu.load().new(select.Peaks, kind, side, 0.3)
    if compiled is None:
        pytest.skip("no compiler")
    scores = np.random.RandomState(side).rand(channels, side, side).astype(np.float32)[None]
    expected = Peaks(kind, side, 0.3)(scores)
    assert compiled(scores) == expected and len(expected) > 9
