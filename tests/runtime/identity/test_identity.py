"""One page decides whether the box holds the target: evidence moves a phase, which has a word."""

import math

import numpy as np
import pytest

from hotpath.runtime.identity.identity import (
    CONFIRMED,
    DOUBTFUL,
    FOLLOWED,
    GONE,
    MOST_FRAMES,
    PATIENCE,
    PROBATION,
    REFERENCE,
    STRICT_FRAMES,
    TENTATIVE,
    VERIFIED,
    Identity,
    Rules,
    rules_of,
)
from hotpath.runtime.networks import load_network, names
from hotpath.runtime.types import LOST, STATES, TRACKED, UNSURE
from tests.support import tiny

PHASES = CONFIRMED, VERIFIED, DOUBTFUL, TENTATIVE, GONE
FOUND = "found"  # the event, where a test tells it by a word
RULES = Rules(0.3, 0.4, 0.55, share=0.8, frames=2)
STATE = np.array([50.0, 50.0, 20.0, 20.0])
GOOD, FAIR, POOR, NONE = 0.9, 0.5, 0.35, 0.2  # values: of a target, below found, unsure and lost


class Cues:
    """What a test says of the box: its value, the classifier's, its colours and size."""

    def __init__(self):
        self.now, self.appearance, self.alike, self.resized = GOOD, 1.0, 1.0, 0.0
        self.by_chance = (0.0, 0.0)

    def begin(self, frame, state, seen):
        pass

    def of(self, *box):
        return self.now

    def chances(self):
        return self.by_chance


def new(rules=RULES, every=1):
    judge = Identity(rules, Cues(), every)
    judge.begin(None, np.zeros(4), None)
    return judge


def see(judge, value=GOOD, appearance=1.0, jump=False):
    """One frame whose smoothed value is that; returns phase and word."""
    judge.cues.now = judge.value = value
    judge.cues.appearance = appearance
    if jump:
        judge.jump()
    judge.observe(None, STATE, None, 0.0)
    word = judge.report()[0]
    return judge.phase, FOUND if judge.found else word


def at(phase, rules=RULES):
    """A target that evidence has brought to a phase."""
    judge = new(rules)
    if phase == DOUBTFUL:
        see(judge, POOR)
    elif phase in (TENTATIVE, VERIFIED, GONE):
        see(judge, NONE)
    if phase in (TENTATIVE, VERIFIED):
        see(judge, GOOD, 1.0 if phase == VERIFIED else 0.0)
    if phase == VERIFIED:
        see(judge)
    assert judge.phase == phase
    return judge


@pytest.mark.parametrize(
    ("phase", "value", "appearance", "after", "word"),
    [
        (CONFIRMED, GOOD, 1.0, CONFIRMED, TRACKED),
        (CONFIRMED, POOR, 1.0, DOUBTFUL, UNSURE),
        (CONFIRMED, NONE, 1.0, GONE, LOST),
        (DOUBTFUL, GOOD, 1.0, CONFIRMED, TRACKED),
        (DOUBTFUL, POOR, 1.0, DOUBTFUL, UNSURE),
        (DOUBTFUL, NONE, 1.0, GONE, LOST),
        (GONE, GOOD, 1.0, TENTATIVE, UNSURE),
        (GONE, POOR, 1.0, GONE, UNSURE),
        (GONE, NONE, 1.0, GONE, LOST),
        (TENTATIVE, GOOD, 1.5, VERIFIED, FOUND),
        (TENTATIVE, GOOD, 0.5, TENTATIVE, UNSURE),
        (TENTATIVE, POOR, 0.5, TENTATIVE, UNSURE),
        (TENTATIVE, NONE, 1.5, GONE, LOST),
        (VERIFIED, GOOD, 1.0, CONFIRMED, TRACKED),
        (VERIFIED, POOR, 1.0, DOUBTFUL, UNSURE),
        (VERIFIED, NONE, 1.0, GONE, LOST),
    ],
)
def test_evidence_moves_the_phase_and_the_phase_has_a_word(phase, value, appearance, after, word):
    assert see(at(phase), value, appearance) == (after, word)


@pytest.mark.parametrize("phase", [CONFIRMED, DOUBTFUL, VERIFIED, GONE])
def test_a_jump_is_claimed_after_a_verification(phase):
    judge = at(phase)
    assert see(judge, FAIR, jump=True) == (TENTATIVE, UNSURE)
    assert [see(judge)[0] for _ in range(RULES.frames - 1)][-1] == VERIFIED


def test_a_jump_of_a_tentative_object_ends_its_evidence():
    judge = at(TENTATIVE)
    assert see(judge, appearance=3.0, jump=True) == (TENTATIVE, UNSURE)
    assert see(judge, appearance=0.0)[0] == VERIFIED  # a mean without the frame before the jump


def test_no_search_begins_at_a_jump_and_one_begins_after_a_loss():
    judge = new()
    see(judge, FAIR, appearance=0.0, jump=True)
    for _ in range(40):
        see(judge, FAIR, appearance=0.0)
        assert not judge.wants_search
    wants = [see(judge, NONE) and judge.wants_search for _ in range(FOLLOWED + 1)]
    assert wants == [False] * FOLLOWED + [True]


def test_a_lost_target_needs_more_than_one_that_is_followed():
    judge = new(RULES._replace(share=0.0))
    phases = [see(judge, value)[0] for value in (0.35, 0.25, 0.35, 0.45)]
    assert phases == [DOUBTFUL, GONE, GONE, TENTATIVE]


def test_a_confirmed_target_is_judged_in_some_frames_only():
    judge = new(every=4)
    phases = [see(judge, NONE)[0] for _ in range(4)]
    assert phases == [CONFIRMED] * 3 + [GONE]
    assert see(judge)[0] == TENTATIVE


@pytest.mark.parametrize("score, word", [(0.3, TRACKED), (0.25, UNSURE)])
def test_in_the_frame_in_which_the_score_collapses_nothing_is_claimed(score, word):
    judge, words = new(every=4), []
    for now in (0.8, 0.8, score, 0.8):
        judge.observe(None, STATE, None, now)
        words.append(judge.report()[0])
        assert not judge.found and judge.phase == CONFIRMED
    assert words == [TRACKED, TRACKED, word, TRACKED]


def test_a_score_that_falls_slowly_does_not_collapse():
    judge = new(every=4)
    for now in np.linspace(0.9, 0.05, 40):
        judge.observe(None, STATE, None, now)
        assert judge.report()[0] == TRACKED


def test_the_value_is_smoothed():
    judge = new()
    judge.cues.now = 0.0
    judge.observe(None, STATE, None, 0.0)
    assert judge.value == pytest.approx(0.6)
    assert judge.smooth(0.6, 3) == pytest.approx(0.6)


# proofs


def verified_after(appearance, rules=RULES, frames=4 * MOST_FRAMES):
    """Frames until an object that looks like that is verified; 0 if it never is."""
    judge = at(GONE, rules)
    for count in range(1, frames + 1):
        if (
            see(judge, GOOD, appearance if np.isscalar(appearance) else appearance[count - 1])[0]
            == VERIFIED
        ):
            return count
    return 0


def test_a_share_of_the_reference_verifies():
    assert verified_after(0.8 * REFERENCE + 0.01) == RULES.frames
    assert verified_after(0.8 * REFERENCE - 0.01) == 0  # however long it is followed
    assert verified_after(1.0, RULES._replace(frames=5)) == 5
    assert verified_after(-1.0, RULES._replace(share=0.0)) == RULES.frames


def test_the_best_frames_of_a_stranger_do_not_prove():
    assert verified_after([0.4] * MOST_FRAMES + [1.0, 1.0], frames=MOST_FRAMES + 2) == 0


@pytest.mark.parametrize("appearance", [0.3, 1.2])
def test_what_the_target_looks_like_for_long_moves_no_bar(appearance):
    judge = new()
    for _ in range(400):
        see(judge, appearance=appearance)
    see(judge, NONE)
    assert [see(judge, appearance=0.59)[0] for _ in range(9)] == [TENTATIVE] * 9
    assert VERIFIED in [see(judge, appearance=0.65)[0] for _ in range(MOST_FRAMES)]


def test_the_search_brings_an_object_that_is_still_to_prove():
    judge = at(GONE)
    judge.searched(STATE, None)
    assert judge.phase == GONE
    judge.searched(STATE, GOOD)
    assert judge.phase == TENTATIVE and judge.value == GOOD
    judge.searched(STATE, GOOD)  # another object
    assert judge.phase == TENTATIVE and see(judge)[0] == VERIFIED


def test_an_object_of_another_target_is_no_evidence():
    judge = at(TENTATIVE)
    judge.displace()
    assert judge.phase == GONE
    assert see(judge, appearance=3.0)[0] == TENTATIVE  # one frame: the ones before do not count


@pytest.mark.parametrize("alike", [0.8, 1.0])
def test_equal_colours_prove_nothing(alike):
    judge = at(GONE)
    judge.cues.alike = alike
    assert [see(judge, appearance=0.59)[0] for _ in range(9)] == [TENTATIVE] * 9


@pytest.mark.parametrize("colours", [-0.2, None])
def test_other_colours_deny_a_proof_where_colours_are_known(colours):
    judge = at(GONE)
    judge.cues.alike = -0.2
    judge.cues.by_chance = 0.0, (None if colours is None else 0.0)
    phases = [see(judge, appearance=0.65)[0] for _ in range(2)]
    assert phases[-1] == (VERIFIED if colours is None else TENTATIVE)


def strict(alike=1.0, resized=0.0, appearance=0.75):
    """Frames until a strict verification of such an object; 0 if there is none."""
    judge = at(GONE, RULES._replace(frames=STRICT_FRAMES, strict=True))
    judge.cues.alike, judge.cues.resized = alike, resized
    phases = [see(judge, appearance=appearance)[0] for _ in range(MOST_FRAMES)]
    return phases.index(VERIFIED) + 1 if VERIFIED in phases else 0


def test_a_strict_proof_takes_frames_and_is_denied_by_colours():
    assert strict() == strict(appearance=3.0) == STRICT_FRAMES
    assert strict(alike=0.6) == strict(resized=0.3) == STRICT_FRAMES
    assert strict(alike=0.2) == strict(resized=0.5) == 0


def test_a_proof_is_what_exceeds_chance():
    judge = at(GONE)
    judge.cues.by_chance = 0.5, None
    assert [see(judge, appearance=0.75)[0] for _ in range(9)] == [TENTATIVE] * 9  # half of the way
    judge = at(GONE)
    judge.cues.by_chance = -0.5, None
    assert [see(judge, appearance=0.5)[0] for _ in range(2)][-1] == VERIFIED


def test_an_object_that_stays_unverified_is_given_up_and_searched_for():
    judge = at(GONE)
    phases = [see(judge, appearance=0.3)[0] for _ in range(PATIENCE)]
    assert phases == [TENTATIVE] * (PATIENCE - 1) + [GONE] and judge.wants_search


def test_jumps_do_not_prolong_the_patience():
    judge = at(GONE)
    phases = [see(judge, appearance=0.3, jump=frame % 50 == 9)[0] for frame in range(PATIENCE)]
    assert phases == [TENTATIVE] * (PATIENCE - 1) + [GONE]


def drive(judge, x, value=GOOD):
    """One frame in which the followed object is at x."""
    judge.cues.now = judge.value = value
    judge.observe(None, np.array([x, 50.0, 20.0, 20.0]), None, 0.0)
    judge.report()
    return judge.phase


@pytest.mark.parametrize("turned", [False, True])
def test_what_comes_after_the_target_on_its_way_proves_nothing(turned):
    judge = new()
    for x in range(0, 200, 10):
        drive(judge, x)
    drive(judge, 200, NONE)
    phases = [drive(judge, 60 - x if turned else x) for x in range(0, 60, 6)]
    assert (VERIFIED in phases) is turned


@pytest.mark.parametrize("phase", [DOUBTFUL, TENTATIVE, VERIFIED])
def test_what_the_user_confirms_is_tracked_and_learnt(phase):
    judge = at(phase)
    judge.confirm()
    assert judge.learns
    assert see(judge)[1] == (FOUND if phase == TENTATIVE else TRACKED)


def test_a_confirmation_outlasts_poor_looks_for_two_seconds():
    judge = at(DOUBTFUL)
    judge.confirm()
    words = [see(judge, POOR, appearance=0.1)[1] for _ in range(2 * PROBATION)]
    assert set(words[: PROBATION - 1]) == {TRACKED} and TRACKED not in words[PROBATION + 5 :]


@pytest.mark.parametrize("what", ["lost", "another object", "another target's"])
def test_a_confirmation_speaks_for_no_other_object(what):
    judge = at(DOUBTFUL)
    judge.confirm()
    see(judge, POOR)
    if what == "another object":
        judge.jump()
    elif what == "another target's":
        judge.displace()
    words = [see(judge, NONE if what == "lost" else POOR)[1] for _ in range(10)]
    judge.phase = CONFIRMED  # it is verified anew
    words += [see(judge, POOR)[1] for _ in range(PROBATION)]
    assert TRACKED not in words[15:]


@pytest.mark.parametrize("phase", [CONFIRMED, DOUBTFUL, TENTATIVE, VERIFIED])
def test_what_the_user_rejects_is_lost_and_searched_for_at_once(phase):
    judge = at(phase)
    judge.reject()
    assert judge.report()[0] == LOST and judge.is_lost and judge.wants_search and not judge.learns
    judge.searched(STATE, GOOD)  # what the search finds must be verified
    assert judge.phase == TENTATIVE and judge.report()[1] <= 0.4


def test_a_loss_after_a_confirmation_counts_anew():
    judge = at(GONE)
    for _ in range(FOLLOWED):
        see(judge, POOR)
    judge.confirm()
    see(judge)
    assert see(judge, NONE)[0] == GONE and not judge.wants_search


# what is claimed


def test_a_claim_that_looks_otherwise_for_long_is_unsure_until_it_looks_like_the_target_again():
    judge = new()
    assert see(judge, 1.0) == (CONFIRMED, TRACKED)
    before = judge.report()[1]
    assert {see(judge, 1.0, appearance=0.0) for _ in range(20)} == {
        (CONFIRMED, TRACKED),
        (DOUBTFUL, UNSURE),
    }
    assert judge.phase == DOUBTFUL and judge.report()[1] < 0.8 < 0.95 < before
    assert see(judge, 1.0)[0] == CONFIRMED


def test_on_probation_nothing_is_learnt():
    judge = at(VERIFIED)
    for left in range(PROBATION, 0, -1):
        assert (judge.probation, judge.learns) == (left, False)
        see(judge)
    assert judge.learns


def test_a_loss_ends_a_probation():
    judge = at(VERIFIED)
    assert judge.probation
    see(judge, NONE)
    assert not judge.probation


def test_presence_grows_with_the_value():
    for phase in (CONFIRMED, TENTATIVE, GONE):
        presences = [presence_of(phase, value) for value in (NONE, POOR, FAIR, GOOD)]
        assert presences == sorted(presences)


@pytest.mark.parametrize(
    "phase, value, presence",
    [
        (CONFIRMED, 0.3, 0.288),
        (CONFIRMED, 0.55, 0.828),
        (CONFIRMED, 0.9, 0.989),
        (TENTATIVE, 0.9, 0.239),
        (GONE, 0.3, 0.052),
    ],
)
def test_presence_is_that_of_the_pages(phase, value, presence):
    assert presence_of(phase, value) == pytest.approx(presence, abs=0.001)


def presence_of(phase, value):
    judge = new()
    judge.phase, judge.value = phase, value
    return judge.report()[1]


@pytest.mark.parametrize("appearance", [0.5, 5.0])
def test_before_it_is_verified_an_object_is_hardly_present_however_long_it_is_followed(appearance):
    judge = at(GONE, RULES._replace(frames=10**6))
    presences = []
    for _ in range(PATIENCE - 1):
        assert see(judge, 1.0, appearance) == (TENTATIVE, UNSURE)
        presences.append(judge.report()[1])
    assert presences[0] <= presences[5] and max(presences) <= 0.4
    later = presences[MOST_FRAMES:]
    assert later == pytest.approx([presences[MOST_FRAMES]] * len(later))


def test_the_presence_of_a_find_follows_from_its_similarity():
    def after(appearance, frames):
        judge = at(GONE)
        for _ in range(RULES.frames + frames):
            see(judge, GOOD, appearance)
        assert judge.phase in (VERIFIED, CONFIRMED)
        return judge.report()[1]

    assert after(0.65, 0) < after(0.75, 0) < after(0.9, 0) < 0.8
    assert after(0.65, 9) < 0.8 < after(0.9, 9) < after(0.9, 59)
    assert after(0.65, 59) == pytest.approx(after(0.65, 600), abs=0.01)  # time is no evidence


def test_presence_counts_between_each_networks_thresholds():
    for name in (name for name in names() if load_network(name).can_be_lost):
        rules = rules_of(load_network(name))
        judge = new(rules)
        judge.value = rules.found
        assert judge.report()[1] == pytest.approx(presence_of(CONFIRMED, RULES.found), abs=1e-2), (
            name
        )


@pytest.mark.parametrize("first, later, word", [(0.75, 0.45, UNSURE), (0.65, 1.0, TRACKED)])
def test_a_strict_find_is_tracked_as_long_as_its_proof_holds(first, later, word):
    judge = at(GONE, RULES._replace(strict=True))
    while see(judge, appearance=first)[0] != VERIFIED:
        pass
    assert judge.report()[0] == TRACKED
    for _ in range(4 * PROBATION):
        last = see(judge, appearance=later)[1]
    assert last == word


def test_where_nothing_must_be_proven_a_find_changes_no_presence():
    judge = at(GONE, RULES._replace(share=0.0, frames=1))
    assert see(judge, appearance=-1.0) == (VERIFIED, FOUND)
    assert judge.report()[1] == pytest.approx(presence_of(CONFIRMED, GOOD), abs=1e-2)


def test_a_new_target_begins_without_a_past():
    judge = at(VERIFIED)
    judge.begin(None, np.zeros(4), None)
    assert (judge.phase, judge.probation, judge.likeness) == (CONFIRMED, 0, math.inf)
    assert see(judge) == (CONFIRMED, TRACKED)


def test_a_target_that_nothing_watches_is_tracked(tmp_path):
    judge = Identity(rules_of(load_network(tiny.write_network(tmp_path))))
    judge.begin(None, np.zeros(4), None)
    judge.observe(None, STATE, None, 0.0)
    assert judge.phase == CONFIRMED and judge.report() == (TRACKED, None)


@pytest.mark.parametrize("name", [name for name in names() if load_network(name).can_be_lost])
def test_an_unproven_object_is_unsure_with_every_networks_rules(name):
    rules = rules_of(load_network(name))
    judge = new(rules)
    judge.displace()
    judge.value = rules.lost + 0.01
    assert judge.report()[0] == UNSURE
    judge.value = rules.lost - 0.01
    assert judge.report()[0] == LOST


@pytest.mark.parametrize("seed", range(20))
def test_each_word_is_that_of_its_phase(seed):
    """Whatever the cues say, and whatever the search and other targets do to a target."""
    rng = np.random.RandomState(seed)
    judge = new(every=4)
    seen, before, level, was_lost = set(), TRACKED, GOOD, False
    for _ in range(1500):
        level = rng.choice([0.05, 0.3, 0.5, 0.9]) if rng.rand() < 0.05 else level
        judge.cues.now = float(np.clip(level + rng.normal(0, 0.1), 0, 1))
        judge.cues.appearance, judge.cues.alike = np.clip(level + rng.normal(0, 0.2, 2), -1, 1.2)
        event = rng.rand()
        if event < 0.02:
            judge.jump()
        elif event < 0.04:
            judge.displace()
        judge.observe(None, STATE, None, 0.9)
        word, presence = judge.report()
        assert (word == TRACKED) == (judge.phase in (CONFIRMED, VERIFIED)) and 0 < presence < 1
        assert judge.found == (word == TRACKED and was_lost)
        was_lost = word != TRACKED and (was_lost or judge.is_unverified)
        assert not judge.found or before != TRACKED
        assert word != UNSURE or judge.value >= 0.3
        assert word != LOST or judge.value < 0.3
        before = word
        seen.add(word)
    assert seen == set(STATES)
