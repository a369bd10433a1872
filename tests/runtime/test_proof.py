"""An object that is followed after a loss is the target only if its mean says so."""

from hotpath.runtime.proof import FEWEST, MOST, PATIENCE, STRICT, Proof


def test_two_frames_prove():
    proof = Proof(0.8)
    assert [proof.add(0.7) for _ in range(FEWEST)] == [False] * (FEWEST - 1) + [True]
    assert not proof.pending


def test_the_best_frames_do_not_prove():
    proof = Proof(0.8)
    values = [0.5] * MOST + [0.9, 0.9]
    assert not any(proof.add(value) for value in values)
    assert proof.pending


def test_a_suspect_that_looks_otherwise_is_dropped_and_one_that_may_be_the_target_is_not():
    proof = Proof(0.8)
    for value, dropped in ((0.5, False), (0.3, True)):  # 0.6 is needed, and 0.36 to go on
        proven = [proof.add(value) for _ in range(PATIENCE)]
        assert not any(proven) and proof.dropped is dropped and proof.pending is not dropped
        proof.reject()
    assert not proof.dropped


def test_a_strict_proof_takes_its_frames_however_sure_they_are():
    proof = Proof(0.95, STRICT)
    assert [proof.add(1.0) for _ in range(STRICT)] == [False] * (STRICT - 1) + [True]


def test_a_new_suspect_begins_without_evidence():
    proof = Proof(0.8)
    proof.add(0.7)
    proof.reject()
    assert not proof.add(0.7)


def test_at_zero_each_suspect_passes_at_once():
    assert Proof(0.0).add(-1.0)


def test_a_claim_that_looks_otherwise_for_long_has_drifted():
    proof = Proof(0.8, drift=0.25)
    assert not any(proof.drifted(proof.own) for _ in range(100))
    assert not any(proof.drifted(0.0) for _ in range(3))  # a moment is not enough
    assert proof.drifted(0.0)
    never = Proof(0.8)
    assert not any(never.drifted(0.0) for _ in range(100))
