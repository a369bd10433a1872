"""One page decides whether the box holds the target: evidence moves a phase, which has a word."""

import math

import numpy as np
import pytest

from hotpath.runtime.identity.identity import (
    BEFORE_SEARCH,
    MOST_FRAMES,
    MOST_UNVERIFIED,
    PATIENCE,
    PROBATION,
    REFERENCE,
    Identity,
    IdentityPhase,
    IdentityRules,
    rules_of,
)
from hotpath.runtime.networks import load_network, names
from hotpath.runtime.types import LOST, STATES, TRACKED, UNSURE
from tests.support import tiny

PHASES = (
    IdentityPhase.CONFIRMED,
    IdentityPhase.VERIFIED,
    IdentityPhase.DOUBTFUL,
    IdentityPhase.TENTATIVE,
    IdentityPhase.GONE,
)
FOUND = "found"  # the event, where a test tells it by a word
RULES = IdentityRules(0.3, 0.4, 0.55, share=0.8, frames=2)
STATE = np.array([50.0, 50.0, 20.0, 20.0])
GOOD, FAIR, POOR, NONE = 0.9, 0.5, 0.35, 0.2  # values: of a target, below found, unsure and lost


class Cues:
    """What a test says of the box: its value, the classifier's, its colours and size."""

    def __init__(self):
        self.now, self.appearance, self.alike = GOOD, 1.0, 1.0
        self.by_chance = (0.0, 0.0)

    def begin(self, frame, state, seen):
        pass

    def value(self, *box):
        return self.now

    def chances(self):
        return self.by_chance


def new(rules=RULES, every=1):
    target = Identity(rules, Cues(), every)
    target.begin(None, np.zeros(4), None)
    return target


def see(target, value=GOOD, appearance=1.0, jump=False):
    """One frame whose smoothed value is that; returns phase and word."""
    target.cues.now = target.value = value
    target.cues.appearance = appearance
    if jump:
        target.expect_another_object()
    target.observe(None, STATE, None, 0.0)
    word = target.report()[0]
    return target.phase, FOUND if target.found else word


def at(phase, rules=RULES):
    """A target that evidence has brought to a phase."""
    target = new(rules)
    if phase == IdentityPhase.DOUBTFUL:
        see(target, POOR)
    elif phase in (IdentityPhase.TENTATIVE, IdentityPhase.VERIFIED, IdentityPhase.GONE):
        see(target, NONE)
    if phase in (IdentityPhase.TENTATIVE, IdentityPhase.VERIFIED):
        see(target, GOOD, 1.0 if phase == IdentityPhase.VERIFIED else 0.0)
    if phase == IdentityPhase.VERIFIED:
        see(target)
    assert target.phase == phase
    return target


@pytest.mark.parametrize(
    ("phase", "value", "appearance", "after", "word"),
    [
        (IdentityPhase.CONFIRMED, GOOD, 1.0, IdentityPhase.CONFIRMED, TRACKED),
        (IdentityPhase.CONFIRMED, POOR, 1.0, IdentityPhase.DOUBTFUL, UNSURE),
        (IdentityPhase.CONFIRMED, NONE, 1.0, IdentityPhase.GONE, LOST),
        (IdentityPhase.DOUBTFUL, GOOD, 1.0, IdentityPhase.CONFIRMED, TRACKED),
        (IdentityPhase.DOUBTFUL, POOR, 1.0, IdentityPhase.DOUBTFUL, UNSURE),
        (IdentityPhase.DOUBTFUL, NONE, 1.0, IdentityPhase.GONE, LOST),
        (IdentityPhase.GONE, GOOD, 1.0, IdentityPhase.TENTATIVE, UNSURE),
        (IdentityPhase.GONE, POOR, 1.0, IdentityPhase.GONE, UNSURE),
        (IdentityPhase.GONE, NONE, 1.0, IdentityPhase.GONE, LOST),
        (IdentityPhase.TENTATIVE, GOOD, 1.5, IdentityPhase.VERIFIED, FOUND),
        (IdentityPhase.TENTATIVE, GOOD, 0.5, IdentityPhase.TENTATIVE, UNSURE),
        (IdentityPhase.TENTATIVE, POOR, 0.5, IdentityPhase.TENTATIVE, UNSURE),
        (IdentityPhase.TENTATIVE, NONE, 1.5, IdentityPhase.GONE, LOST),
        (IdentityPhase.VERIFIED, GOOD, 1.0, IdentityPhase.CONFIRMED, TRACKED),
        (IdentityPhase.VERIFIED, POOR, 1.0, IdentityPhase.DOUBTFUL, UNSURE),
        (IdentityPhase.VERIFIED, NONE, 1.0, IdentityPhase.GONE, LOST),
    ],
)
def test_evidence_moves_the_phase_and_the_phase_has_a_word(phase, value, appearance, after, word):
    assert see(at(phase), value, appearance) == (after, word)


@pytest.mark.parametrize("phase", PHASES)
def test_a_jump_is_claimed_after_a_verification(phase):
    target = at(phase)
    assert see(target, FAIR, appearance=3.0, jump=True) == (IdentityPhase.TENTATIVE, UNSURE)
    # a mean without the frame before the jump
    assert [see(target)[0] for _ in range(RULES.frames - 1)][-1] == IdentityPhase.VERIFIED


def test_a_lost_target_needs_more_than_one_that_is_tracked():
    target = new(RULES._replace(share=0.0))
    phases = [see(target, value)[0] for value in (0.35, 0.25, 0.35, 0.45)]
    assert phases == [
        IdentityPhase.DOUBTFUL,
        IdentityPhase.GONE,
        IdentityPhase.GONE,
        IdentityPhase.TENTATIVE,
    ]
    target.cues.now = 0.0
    target.observe(None, STATE, None, 0.0)
    assert target.value == pytest.approx(0.6 * 0.45)  # it is smoothed


def test_no_search_begins_at_a_jump_and_one_begins_after_a_loss():
    target = new()
    see(target, FAIR, appearance=0.0, jump=True)
    for _ in range(40):
        see(target, FAIR, appearance=0.0)
        assert not target.wants_search
    wants = [see(target, NONE) and target.wants_search for _ in range(BEFORE_SEARCH + 1)]
    assert wants == [False] * BEFORE_SEARCH + [True]


def test_a_confirmed_target_is_judged_in_some_frames_only():
    target = new(every=4)
    phases = [see(target, NONE)[0] for _ in range(4)]
    assert phases == [IdentityPhase.CONFIRMED] * 3 + [IdentityPhase.GONE]
    assert see(target)[0] == IdentityPhase.TENTATIVE


@pytest.mark.parametrize("score, word", [(0.3, TRACKED), (0.25, UNSURE)])
def test_in_the_frame_in_which_the_score_collapses_nothing_is_claimed(score, word):
    target, words = new(every=4), []
    for now in (0.8, 0.8, score, 0.8):
        target.observe(None, STATE, None, now)
        words.append(target.report()[0])
        assert not target.found and target.phase == IdentityPhase.CONFIRMED
    assert words == [TRACKED, TRACKED, word, TRACKED]


def test_a_score_that_falls_slowly_does_not_collapse():
    target = new(every=4)
    for now in np.linspace(0.9, 0.05, 40):
        target.observe(None, STATE, None, now)
        assert target.report()[0] == TRACKED


# proofs


def verified_after(appearance, rules=RULES, alike=1.0, by_chance=(0.0, 0.0), frames=200):
    """Frames until an object that looks like that is verified; 0 if it never is."""
    target = at(IdentityPhase.GONE, rules)
    target.cues.alike, target.cues.by_chance = alike, by_chance
    for count in range(1, frames + 1):
        now = appearance if np.isscalar(appearance) else appearance[count - 1]
        if see(target, GOOD, now)[0] == IdentityPhase.VERIFIED:
            return count
    return 0


@pytest.mark.parametrize(
    "appearance, more, after",
    [
        (0.8 * REFERENCE + 0.01, {}, RULES.frames),  # a share of the reference
        (0.8 * REFERENCE - 0.01, {}, 0),  # less, however long it is tracked
        (1.0, {"rules": RULES._replace(frames=5)}, 5),
        (-1.0, {"rules": RULES._replace(share=0.0)}, RULES.frames),
        ([0.4] * MOST_FRAMES + [1.0, 1.0], {"frames": MOST_FRAMES + 2}, 0),  # its best frames
        (0.59, {"alike": 0.8}, 0),  # equal colours prove nothing
        (0.65, {"alike": -0.2}, 0),  # others deny a proof
        (0.65, {"alike": -0.2, "by_chance": (0.0, None)}, RULES.frames),  # where they are known
        (0.75, {"by_chance": (0.5, None)}, 0),  # half of the way from chance to the target
        (0.5, {"by_chance": (-0.5, None)}, RULES.frames),
    ],
)
def test_what_exceeds_chance_by_a_share_of_the_reference_is_verified(appearance, more, after):
    assert verified_after(appearance, **more) == after


@pytest.mark.parametrize("appearance", [0.3, 1.2])
def test_what_the_target_looks_like_for_long_moves_no_bar(appearance):
    target = new()
    for _ in range(400):
        see(target, appearance=appearance)
    see(target, NONE)
    assert [see(target, appearance=0.59)[0] for _ in range(9)] == [IdentityPhase.TENTATIVE] * 9
    assert IdentityPhase.VERIFIED in [see(target, appearance=0.65)[0] for _ in range(MOST_FRAMES)]


def test_the_search_brings_an_object_that_is_still_to_prove():
    target = at(IdentityPhase.GONE)
    target.end_search_frame(STATE, None)
    assert target.phase == IdentityPhase.GONE
    target.end_search_frame(STATE, GOOD)
    assert target.phase == IdentityPhase.TENTATIVE and target.value == GOOD
    target.end_search_frame(STATE, GOOD)  # another object
    assert target.phase == IdentityPhase.TENTATIVE and see(target)[0] == IdentityPhase.VERIFIED


def test_no_object_is_verified_while_it_is_traced():
    target = at(IdentityPhase.GONE)
    target.is_traced = True
    assert {see(target)[0] for _ in range(MOST_FRAMES)} == {IdentityPhase.TENTATIVE}
    target.is_traced = False
    assert see(target)[0] == IdentityPhase.VERIFIED


def test_what_was_alike_while_it_was_traced_is_verified_afterwards():
    target = at(IdentityPhase.GONE)
    target.is_traced = True
    for appearance in [1.0] * 4 + [0.1] * 20:
        assert see(target, appearance=appearance)[0] == IdentityPhase.TENTATIVE
    target.is_traced = False
    assert see(target, appearance=0.1)[0] == IdentityPhase.VERIFIED


def test_an_object_of_another_target_is_no_evidence():
    target = at(IdentityPhase.TENTATIVE)
    target.yield_to_other()
    assert target.phase == IdentityPhase.GONE
    assert (
        see(target, appearance=3.0)[0] == IdentityPhase.TENTATIVE
    )  # one frame: the ones before do not count


@pytest.mark.parametrize("jumps", [False, True])
def test_an_object_that_stays_unverified_is_given_up_and_searched_for(jumps):
    target = at(IdentityPhase.GONE)
    phases = [
        see(target, appearance=0.3, jump=jumps and frame % 50 == 9)[0] for frame in range(PATIENCE)
    ]
    assert (
        phases == [IdentityPhase.TENTATIVE] * (PATIENCE - 1) + [IdentityPhase.GONE]
        and target.wants_search
    )


def drive(target, x, value=GOOD):
    """One frame in which the followed object is at x."""
    target.cues.now = target.value = value
    target.observe(None, np.array([x, 50.0, 20.0, 20.0]), None, 0.0)
    target.report()
    return target.phase


@pytest.mark.parametrize("turned", [False, True])
def test_what_comes_after_the_target_on_its_way_proves_nothing(turned):
    target = new()
    for x in range(0, 200, 10):
        drive(target, x)
    drive(target, 200, NONE)
    phases = [drive(target, 60 - x if turned else x) for x in range(0, 60, 6)]
    assert (IdentityPhase.VERIFIED in phases) is turned


@pytest.mark.parametrize(
    "phase", [IdentityPhase.DOUBTFUL, IdentityPhase.TENTATIVE, IdentityPhase.VERIFIED]
)
def test_what_the_user_confirms_is_tracked_and_learnt(phase):
    target = at(phase)
    target.confirm()
    assert target.learns
    assert see(target)[1] == (FOUND if phase == IdentityPhase.TENTATIVE else TRACKED)


def test_a_confirmation_outlasts_poor_looks_for_two_seconds():
    target = at(IdentityPhase.DOUBTFUL)
    target.confirm()
    words = [see(target, POOR, appearance=0.1)[1] for _ in range(2 * PROBATION)]
    assert set(words[: PROBATION - 1]) == {TRACKED} and TRACKED not in words[PROBATION + 5 :]


@pytest.mark.parametrize("what", ["lost", "another object", "another target's"])
def test_a_confirmation_speaks_for_no_other_object(what):
    target = at(IdentityPhase.DOUBTFUL)
    target.confirm()
    see(target, POOR)
    if what == "another object":
        target.expect_another_object()
    elif what == "another target's":
        target.yield_to_other()
    words = [see(target, NONE if what == "lost" else POOR)[1] for _ in range(10)]
    target.phase = IdentityPhase.CONFIRMED  # it is verified anew
    words += [see(target, POOR)[1] for _ in range(PROBATION)]
    assert TRACKED not in words[15:]


@pytest.mark.parametrize(
    "phase",
    [
        IdentityPhase.CONFIRMED,
        IdentityPhase.DOUBTFUL,
        IdentityPhase.TENTATIVE,
        IdentityPhase.VERIFIED,
    ],
)
def test_what_the_user_rejects_is_lost_and_searched_for_at_once(phase):
    target = at(phase)
    target.reject()
    assert (
        target.report()[0] == LOST and target.is_lost and target.wants_search and not target.learns
    )
    target.end_search_frame(STATE, GOOD)  # what the search finds must be verified
    assert target.phase == IdentityPhase.TENTATIVE and target.report()[1] <= 0.4


def test_a_loss_after_a_confirmation_counts_anew():
    target = at(IdentityPhase.GONE)
    for _ in range(BEFORE_SEARCH):
        see(target, POOR)
    target.confirm()
    see(target)
    assert see(target, NONE)[0] == IdentityPhase.GONE and not target.wants_search


# what is claimed


def test_a_claim_that_looks_otherwise_for_long_is_unsure_until_it_looks_like_the_target_again():
    target = new()
    assert see(target, 1.0) == (IdentityPhase.CONFIRMED, TRACKED)
    before = target.report()[1]
    assert {see(target, 1.0, appearance=0.0) for _ in range(20)} == {
        (IdentityPhase.CONFIRMED, TRACKED),
        (IdentityPhase.DOUBTFUL, UNSURE),
    }
    assert target.phase == IdentityPhase.DOUBTFUL and target.report()[1] < 0.8 < 0.95 < before
    assert see(target, 1.0)[0] == IdentityPhase.CONFIRMED


def test_what_is_hardly_present_is_unsure_and_not_learnt():
    target = at(IdentityPhase.VERIFIED)
    for _ in range(PROBATION + 1):
        see(target, GOOD, appearance=0.2)
    assert (target.phase, target.learns) == (IdentityPhase.CONFIRMED, False)
    word, presence = target.report()
    assert word == UNSURE and presence < MOST_UNVERIFIED


def test_on_probation_nothing_is_learnt_and_a_loss_ends_it():
    target = at(IdentityPhase.VERIFIED)
    for left in range(PROBATION, 0, -1):
        assert (target.probation, target.learns) == (left, False)
        see(target)
    assert target.learns
    target = at(IdentityPhase.VERIFIED)
    see(target, NONE)
    assert not target.probation


@pytest.mark.parametrize(
    "phase, value, presence",
    [
        (IdentityPhase.CONFIRMED, 0.3, 0.288),
        (IdentityPhase.CONFIRMED, 0.55, 0.828),
        (IdentityPhase.CONFIRMED, 0.9, 0.989),
        (IdentityPhase.TENTATIVE, 0.9, 0.239),
        (IdentityPhase.GONE, 0.3, 0.052),
    ],
)
def test_presence_is_that_of_the_pages_and_grows_with_the_value(phase, value, presence):
    assert presence_of(phase, value) == pytest.approx(presence, abs=0.001)
    assert presence_of(phase, value - 0.1) < presence < presence_of(phase, value + 0.1)


def presence_of(phase, value):
    target = new()
    target.phase, target.value = phase, value
    return target.report()[1]


@pytest.mark.parametrize("appearance", [0.5, 5.0])
def test_before_it_is_verified_an_object_is_hardly_present_however_long_it_is_followed(appearance):
    target = at(IdentityPhase.GONE, RULES._replace(frames=10**6))
    presences = []
    for _ in range(PATIENCE - 1):
        assert see(target, 1.0, appearance) == (IdentityPhase.TENTATIVE, UNSURE)
        presences.append(target.report()[1])
    assert presences[0] <= presences[5] and max(presences) <= 0.4
    later = presences[MOST_FRAMES:]
    assert later == pytest.approx([presences[MOST_FRAMES]] * len(later))


def test_the_presence_of_a_find_follows_from_its_similarity():
    def after(appearance, frames):
        target = at(IdentityPhase.GONE)
        for _ in range(RULES.frames + frames):
            see(target, GOOD, appearance)
        assert target.phase in (IdentityPhase.VERIFIED, IdentityPhase.CONFIRMED)
        return target.report()[1]

    assert after(0.65, 0) < after(0.75, 0) < after(0.9, 0) < 0.8
    assert after(0.65, 9) < 0.8 < after(0.9, 9) < after(0.9, 59)
    assert after(0.65, 59) == pytest.approx(after(0.65, 600), abs=0.01)  # time is no evidence


@pytest.mark.parametrize("name", [name for name in names() if load_network(name).can_be_lost])
def test_state_and_presence_count_between_each_networks_thresholds(name):
    rules = rules_of(load_network(name))
    target = new(rules)
    target.value = rules.found
    wanted = presence_of(IdentityPhase.CONFIRMED, RULES.found)
    assert target.report()[1] == pytest.approx(wanted, abs=1e-2)
    target.yield_to_other()
    for value, state in ((rules.lost + 0.01, UNSURE), (rules.lost - 0.01, LOST)):
        target.value = value
        assert target.report()[0] == state


def test_where_nothing_must_be_proven_a_find_changes_no_presence():
    target = at(IdentityPhase.GONE, RULES._replace(share=0.0, frames=1))
    assert see(target, appearance=-1.0) == (IdentityPhase.VERIFIED, FOUND)
    assert target.report()[1] == pytest.approx(presence_of(IdentityPhase.CONFIRMED, GOOD), abs=1e-2)


def test_a_new_target_begins_without_a_past():
    target = at(IdentityPhase.VERIFIED)
    target.begin(None, np.zeros(4), None)
    assert (target.phase, target.probation, target.mean_similarity) == (
        IdentityPhase.CONFIRMED,
        0,
        math.inf,
    )
    assert see(target) == (IdentityPhase.CONFIRMED, TRACKED)


def test_a_target_that_nothing_watches_is_tracked(tmp_path):
    target = Identity(rules_of(load_network(tiny.write_network(tmp_path))))
    target.begin(None, np.zeros(4), None)
    target.observe(None, STATE, None, 0.0)
    assert target.phase == IdentityPhase.CONFIRMED and target.report() == (TRACKED, None)


@pytest.mark.parametrize("seed", range(20))
def test_each_word_is_that_of_its_phase(seed):
    """Whatever the cues say, and whatever the search and other targets do to a target."""
    rng = np.random.RandomState(seed)
    target = new(every=4)
    seen, before, level, was_lost = set(), TRACKED, GOOD, False
    for _ in range(1500):
        level = rng.choice([0.05, 0.3, 0.5, 0.9]) if rng.rand() < 0.05 else level
        target.cues.now = float(np.clip(level + rng.normal(0, 0.1), 0, 1))
        target.cues.appearance, target.cues.alike = np.clip(level + rng.normal(0, 0.2, 2), -1, 1.2)
        event = rng.rand()
        if event < 0.02:
            target.expect_another_object()
        elif event < 0.04:
            target.yield_to_other()
        target.observe(None, STATE, None, 0.9)
        word, presence = target.report()
        accepted = target.phase in (IdentityPhase.CONFIRMED, IdentityPhase.VERIFIED)
        assert (word == TRACKED) == (accepted and presence >= MOST_UNVERIFIED)
        assert 0 < presence < 1
        assert target.found == (word == TRACKED and was_lost)
        was_lost = word != TRACKED and (was_lost or target.is_unverified)
        assert not target.found or before != TRACKED
        assert word != UNSURE or target.value >= 0.3
        assert word != LOST or target.value < 0.3
        before = word
        seen.add(word)
    assert seen == set(STATES)
