"""A window proposes places, and the classifier chooses among those of a followed target."""

from types import SimpleNamespace

import numpy as np
import pytest

from hotpath.kernels import cpu
from hotpath.kernels.settings import ARGMAX
from hotpath.runtime import decode
from hotpath.runtime.decode.shared.proposals import Proposals
from hotpath.runtime.devices.base import Device, WindowRequest
from hotpath.runtime.identity.guard import DistractorGuard, prior_of
from hotpath.runtime.identity.identity import IdentityPhase
from hotpath.runtime.types import WindowResult
from tests.support.described import load_network

CELLS = 16
FRAME = (640, 480)
BEST, RIVAL, WEAK = (7, 8), (3, 12), (12, 2)  # row, column


AROUND, SCALE = np.array([320.0, 240.0, 40, 40]), (1.6, 1.6)


def window(*scores):
    """A network, and maps whose scores are 0 but for ((row, column), score)."""
    network = load_network("kestrel")
    maps = [np.zeros(shape, np.float32) for shape in decode.shapes(network)]
    maps[1][:], maps[2][:] = 0.25, 0.5
    for (row, column), score in scores:
        maps[0][0, 0, row, column] = score
    return network, tuple(maps)


def proposed(network, maps, prior):
    return Proposals(network, cpu.load(), prior).propose(maps, AROUND, SCALE, *FRAME)


def seen(network, maps):
    """The ``WindowResult`` of a followed target's window."""
    found = proposed(network, maps, prior_of(network))
    return WindowResult(AROUND, SCALE, None, None, *found)


PEAKS = (BEST, 0.8), (RIVAL, 0.7), (WEAK, 0.2)


def test_a_family_decoded_in_python_proposes_by_definition(monkeypatch):
    network, maps = window(*PEAKS)
    create = decode.create

    def in_python(*of):
        decoder = create(*of)
        decoder.settings = None
        return decoder

    monkeypatch.setattr(decode, "create", in_python)
    device = SimpleNamespace(network=network, kernels=cpu.load(), _places={})
    found = Device.result(device, WindowRequest(None, AROUND), SCALE, None, maps, FRAME)
    states, *expected = proposed(network, maps, ARGMAX)
    assert [found.scores, found.cells] == expected and np.array_equal(found.states, states)


@pytest.mark.parametrize("name, share", [("kestrel", 0.0), ("siamrpnpp_resnet50", 0.2)])
def test_without_shares_or_places_only_the_best_box_is_left(name, share):
    network = load_network(name)
    network.peak_share = share
    assert load_network("kestrel").peak_share and prior_of(network) == ARGMAX


def test_a_peaks_box_is_that_of_a_window_in_which_it_is_alone():
    network, maps = window(*PEAKS)
    prior = prior_of(network)
    states, _, cells = proposed(network, maps, prior)
    for state, cell, peak in zip(states, cells, PEAKS):
        alone = proposed(network, window(peak)[1], prior)
        assert cell == alone[2][-1] and (state == alone[0][-1]).all()


@pytest.mark.parametrize(
    "looks, chosen", [((1, -1, -1), BEST), ((-1, 1, -1), RIVAL), ((-1.5, -0.1, -1), BEST)]
)
def test_a_followed_target_is_where_the_classifier_knows_it(looks, chosen):
    network, maps = window(*PEAKS)
    own = DistractorGuard(network, cpu.load())
    own.classifier = SimpleNamespace(appearance=lambda shown: np.array(looks, float))
    shown = seen(network, maps)
    index, value = own.choose(shown)
    assert (own.identity.phase == IdentityPhase.TENTATIVE) is (
        chosen == RIVAL
    )  # it is far from the best cell
    assert value == looks[index] and shown.scores[index] == pytest.approx(dict(PEAKS)[chosen])
    row, column = chosen
    state = shown.states[index]
    expected = 320 + ((column + 0.5) / CELLS - 0.5) * 256 / 1.6
    assert state[0] == pytest.approx(expected) and (state[1] < 240) == (row < 8)


def test_a_rival_beside_the_best_cell_is_not_doubted():
    near = BEST[0], BEST[1] + 2
    network, maps = window((BEST, 0.8), (near, 0.7))
    own = DistractorGuard(network, cpu.load())
    own.classifier = SimpleNamespace(appearance=lambda shown: np.array([-1.0, 1.0]))
    shown = seen(network, maps)
    assert shown.scores[own.choose(shown)[0]] == pytest.approx(0.7)
    assert own.identity.phase == IdentityPhase.CONFIRMED


def test_the_only_place_is_chosen_without_the_classifier():
    network, maps = window((BEST, 0.8))
    own = DistractorGuard(network, cpu.load())
    own.classifier = None
    assert own.choose(seen(network, maps)) == (0, None)
