"""An object that is followed after a loss is the target only if its mean says so."""

import pytest

from hotpath.runtime.proof import FEWEST_FRAMES, MOST_FRAMES, PROBATION, STRICT, USUAL, Proof


def test_two_frames_prove():
    proof = Proof(0.8)
    assert [proof.add(0.7, 0.7) for _ in range(FEWEST_FRAMES)] == [False] * (FEWEST_FRAMES - 1) + [
        True
    ]
    assert not proof.pending


def test_the_best_frames_do_not_prove():
    proof = Proof(0.8)
    values = [0.5] * MOST_FRAMES + [0.9, 0.9]
    assert not any(proof.add(value, value) for value in values)
    assert proof.pending


def test_a_strict_proof_takes_its_frames_however_sure_they_are():
    proof = Proof(0.95, STRICT)
    assert [proof.add(1.0, 1.0) for _ in range(STRICT)] == [False] * (STRICT - 1) + [True]


def test_a_new_suspect_begins_without_evidence():
    proof = Proof(0.8)
    proof.add(0.7, 0.7)
    proof.reject()
    assert not proof.add(0.7, 0.7)


def test_at_zero_each_suspect_passes_at_once():
    assert Proof(0.0).add(-1.0, -1.0)


def test_a_claim_that_looks_otherwise_for_long_has_drifted():
    proof = Proof(0.8, drift=0.25)
    assert not any(proof.drifted(proof.own, proof.own) for _ in range(100))
    assert not any(proof.drifted(0.0, 0.0) for _ in range(3))  # a moment is not enough
    assert proof.drifted(0.0, 0.0)
    never = Proof(0.8)
    assert not any(never.drifted(0.0, 0.0) for _ in range(100))


def found(proof):
    """A suspect that is proven."""
    assert [proof.add(1.0, 1.0) for _ in range(FEWEST_FRAMES)][-1]


def test_on_probation_the_target_s_own_value_is_not_learnt():
    proof = Proof(0.8)
    found(proof)
    assert proof.probation == PROBATION
    for _ in range(PROBATION):
        proof.learn(1.0)
        assert proof.own == USUAL
        proof.settle(True)
    proof.learn(1.0)
    assert proof.own > USUAL


def test_a_find_that_is_lost_ends_its_probation():
    proof = Proof(0.8)
    found(proof)
    proof.settle(True)
    proof.settle(False)
    assert not proof.probation


@pytest.mark.parametrize("first, later, sure", [(0.7, 0.3, False), (0.5, 0.9, True)])
def test_a_find_is_as_likely_as_what_it_proves_on_probation(first, later, sure):
    proof = Proof(0.8)
    assert proof.likely == 1.0  # the target was followed without a loss
    while not proof.add(0.7, first):
        pass
    assert (proof.likely < 0.5) is sure
    for _ in range(PROBATION):
        proof.drifted(0.7, later)
        proof.settle(True)
    assert (proof.likely > 0.8) is sure and (proof.likely < 0.2) is not sure
    before = proof.likely
    proof.drifted(0.7, 1.0 - later)  # what the classifier has learnt from it
    assert proof.likely == before


def test_where_nothing_must_be_proven_a_find_changes_no_presence():
    proof = Proof(0.0)
    assert proof.add(-1.0, -1.0) and proof.likely == 1.0


def test_a_new_target_begins_without_probation():
    proof = Proof(0.8)
    while not proof.add(0.73, 0.73):
        pass
    assert proof.likely < 1.0
    proof.begin()
    assert not proof.probation and proof.likely == 1.0
