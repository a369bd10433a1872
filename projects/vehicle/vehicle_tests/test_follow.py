"""A camera follows what answers its turns, and stops where nothing does.

The closed loop of ``vehicle_tests.drone.steering``.
"""

import math

import pytest

pytest.importorskip("pymavlink")

from hotpath_vehicle import follow
from hotpath_vehicle.follow import Follow
from hotpath_vehicle.gimbal.settings import load_settings
from vehicle_tests.drone import steering as sim

KNOWN = sim.calibration(0.1)
CASES = {case.name: case for case in sim.faulty()}
SWINGS = {case.name: case for case in sim.swings()}
BOX = (400.0, 160.0, 40.0, 40.0)


def after(case, known=KNOWN, seed=0):
    return sim.SteeringRun(case, known, seed).go()


def before_a_still_box(aim, seconds, start=0.0):
    """Degrees that a camera turns while the box stands still in its picture."""
    turned = 0.0
    for n in range(int(30 * seconds)):
        now = start + n / 30
        aim.see(now, BOX, sim.SIZE)
        rates = (0.0, 0.0) if aim.why else aim.rates(now, now, BOX, sim.SIZE)
        turned += math.hypot(*aim.sent(now, rates)) / 30
    return turned


@pytest.mark.parametrize("name", sorted(CASES))
def test_no_fault_turns_a_calibrated_camera_far_away(name):
    assert after(CASES[name]).away <= 20.0


@pytest.mark.parametrize("name", sorted(CASES))
def test_without_a_calibration_nothing_turns_fast_or_far_away(name):
    found = after(CASES[name], None)
    assert found.fastest <= 5.05 and found.away <= 12.0


@pytest.mark.parametrize("name", sorted(SWINGS))
def test_a_stopped_picture_that_swings_turns_a_camera_by_30_degrees_at_most(name):
    assert after(SWINGS[name], None).away <= 30.0


@pytest.mark.parametrize("known", [KNOWN, None])
def test_a_camera_that_obeys_the_other_way_is_stopped_with_a_reason(known):
    found = after(CASES["obeys the other way"], known)
    assert found.why == follow.UNANSWERED and found.why.endswith("confirm the target")


HEALTHY = [  # the target's path, the calibration, options; how far off the target may be
    (sim.ramp(20), KNOWN, {}, 5.0),
    (sim.curve(12), KNOWN, {}, 5.0),
    (sim.curve(6), KNOWN, {"loss": 0.2}, 3.0),
    *((path, None, {}, 15.0) for path in (sim.ramp(3), sim.curve(3), sim.standing(14))),
    # a PTZ camera does not state how fast its fastest turn is
    *((sim.standing(14), None, {"plant": {"gain": gain}}, math.inf) for gain in (0.7, 2.0)),
    # the calibration's delay is wrong
    *((sim.curve(8), KNOWN, {"late": sim.LATE_S + s}, math.inf) for s in (-0.07, 0.05, 0.1)),
]


@pytest.mark.parametrize("path, known, options, off", HEALTHY)
def test_a_camera_that_answers_is_never_told_to_stand(path, known, options, off):
    found = after(sim.SteeringCase("healthy", path, 14, 5.0, options), known)
    assert found.held == 0.0 and found.off < off


def test_a_step_is_settled_in_four_seconds_by_the_calibration():
    case = sim.SteeringCase("a step", sim.standing(14, -7), 14, 4.0, {})
    assert after(case).off < 0.6


@pytest.mark.parametrize("zoom", [1.5, 2.0, 3.0])
@pytest.mark.parametrize("delay", [0.1, 0.3, 0.5])
def test_a_camera_that_was_zoomed_in_since_its_calibration_does_not_swing(delay, zoom):
    path = lambda t: (20 * math.sin(t / 7), 0.0)  # noqa: E731
    picture = lambda t, place: sim.zoomed(zoom)(*place) if place else None  # noqa: E731
    options = {"picture": picture, "late": delay - sim.OWN_S}
    run = sim.SteeringRun(sim.SteeringCase("zoom", path, 40, 12.0, options), sim.calibration(delay))
    found, rates = run.go(), [row[3] for row in run._log if row[0] > 12.0 and abs(row[3]) > 8.0]
    turns = sum(a * b < 0 for a, b in zip(rates, rates[1:]))
    assert turns <= 2 and found.off < 4.0 and found.why is None
    assert run._aim._is_zoom_told or zoom < 2.0


@pytest.mark.parametrize("known, bound", [(KNOWN, follow.BOUND), (None, follow.SLOW_BOUND)])
def test_a_camera_that_stopped_waits_until_somebody_acts(known, bound):
    aim = Follow(load_settings(), sim.FOV, known)
    assert before_a_still_box(aim, 10) <= bound and aim.why == follow.UNANSWERED
    aim.restart()  # another target or a gap is no reason to turn on
    aim.forget()  # nor is a link that was lost
    assert before_a_still_box(aim, 10, 10.0) == 0.0
    aim.acted()
    assert aim.why is None and 1.0 < before_a_still_box(aim, 10, 20.0) <= bound


def test_numbers_of_degrees_scale_with_the_width_of_the_picture():
    narrow = Follow(load_settings(), (6.0, 4.0), KNOWN._replace(fov=6.0))
    assert before_a_still_box(narrow, 10) <= follow.BOUND / 10 and narrow.why


def test_a_rate_becomes_the_actuators_own_units_and_signs():
    known = KNOWN._replace(sign=(1, -1), scale=(40.0, 20.0))
    assert Follow(load_settings(), sim.FOV, known).command((10.0, -5.0)) == (0.25, 0.25)
    assert Follow(load_settings(), sim.FOV, None, 100.0).command((10.0, -5.0)) == (0.1, -0.05)
