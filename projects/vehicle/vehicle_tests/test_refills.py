"""What fills a budget of turn: an answer of the picture. Nothing else does.

Each caller is listed here, so a new one needs a test.
"""

import ast
import os
import pathlib
import time

import pytest

pytest.importorskip("pymavlink")

import hotpath_vehicle
from hotpath_vehicle.aim import restarts
from hotpath_vehicle.aim.aim import Aim
from hotpath_vehicle.gimbal.settings import load_settings
from vehicle_tests.drone import steering as sim

CALLERS = {
    "budget.py refill": "the box has answered the camera's turns",
    "nod.py refill": "the box has answered a nod",
    "gimbal_manager.py acted": "somebody acted: fills nothing",
    "ptz.py acted": "somebody acted: fills nothing",
    "gimbal_manager.py forget": "the link is back: fills nothing",
    "aim.py forget": "of the control, which has no budget",
    "control.py forget": "of the camera's angle",
}
BOX = (400.0, 160.0, 40.0, 40.0)


def calls():
    for path in pathlib.Path(hotpath_vehicle.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                if node.func.attr in ("refill", "acted", "forget"):
                    yield f"{path.name} {node.func.attr}"


def test_each_caller_is_known():
    assert set(calls()) == set(CALLERS)


def spent(known=None, at=0.0):
    """An ``Aim`` before a picture that stopped, whose budget is spent; and the time."""
    aim = Aim(load_settings(), sim.FOV, known)
    for n in range(300):
        now = at + n / 30
        aim.see(now, now, BOX, sim.SIZE)
        aim.sent(now, aim.rates(now, now, BOX, sim.SIZE) if aim.why is None else (0.0, 0.0))
    assert aim.budget.left == 0.0 and aim.why
    return aim, at + 10.0


@pytest.mark.parametrize("known", [None, sim.calibration(0.1)])
def test_a_lost_link_a_pause_or_somebody_fills_no_budget(known):
    aim, now = spent(known)
    events = {
        "somebody acts": aim.acted,
        "the link is back": aim.forget,
        "it zooms": aim.restart,
        "a pause": lambda: aim.see(now + 20.0, now + 20.0, BOX, sim.SIZE),
        "somebody acts again": aim.acted,
        "another calibration": lambda: aim.refuse("it is of another camera"),
    }
    for name, happens in events.items():
        happens()
        assert aim.budget.left == 0.0, name


ACTS = {
    "the same target is selected, or confirmed": {"acts": lambda t: int(t / 10)},
    "two targets by turns": {"acts": lambda t: int(t / 10), "number": lambda t: int(t / 10) % 2},
}


def acting(name, known):
    """Somebody acts each 10 s on a frozen stream, with the target 10 degrees off."""
    options = dict(ACTS[name], picture=sim.Frozen(5.0, off_deg=10.0))
    return sim.Run(sim.Case(name, sim.standing(8.0), 95, 5.0, options), known, 3).go()


@pytest.mark.parametrize("known", [None, sim.calibration(0.1)])
@pytest.mark.parametrize("name", ACTS)
def test_who_acts_all_the_time_turns_no_camera_on(name, known):
    assert acting(name, known).away < 12.0


def test_an_act_that_fills_the_budget_is_noticed(monkeypatch):
    acted = Aim.acted
    monkeypatch.setattr(Aim, "acted", lambda aim: (acted(aim), aim.budget.refill()))
    assert min(acting(name, None).away for name in ACTS) > 30.0


@pytest.mark.parametrize("known", [None, sim.calibration(0.1)])
def test_a_camera_that_gave_up_asks_again_when_somebody_acts(known):
    frozen = sim.Frozen(5.0, off_deg=10.0)
    options = {"picture": lambda t, place: frozen(t, place) if t < 20.0 else place}
    case = sim.Case("frozen for 15 s", sim.standing(12.0), 45, 42.0, options)
    run = sim.Run(case, known, 3)
    assert run.go().why
    found = sim.Run(case, known, 3, acts=lambda t: int(t > 25.0)).go()
    assert found.why is None and found.off < 2.0


def run_of(folder, picture=None, seconds=12):
    """A run of the same camera; its figures after a second."""
    options = {} if picture is None else {"picture": picture}
    run = sim.Run(sim.Case("still", sim.standing(14.0), seconds, 1.0, options), None, 5)
    restarts.follow_on(run._aim, "the camera", str(folder))
    spent = run._aim.budget.left == 0.0
    run.go()
    return spent, float(abs(run.plant.angle[0]))


def test_a_program_that_begins_again_and_again_fills_no_budget(tmp_path, monkeypatch):
    turns = [run_of(tmp_path, sim.Frozen(0.0), 3) for _ in range(10)]
    assert [spent for spent, _ in turns] == [False] + [True] * 9
    assert turns[0][1] > 2.0 and max(angle for _, angle in turns[1:]) < 1.0
    monkeypatch.setattr(restarts, "RECENT_S", -1.0)  # without the rule
    assert run_of(tmp_path, sim.Frozen(0.0), 3)[1] > 2.0


def test_a_run_after_another_one_goes_on_after_an_answer(tmp_path):
    run_of(tmp_path)
    spent, angle = run_of(tmp_path)
    assert spent and angle > 10.0


@pytest.mark.parametrize("ago_s, spent", [(30, True), (90, False), (-30, True), (-90, False)])
def test_a_minute_after_its_last_turn_a_camera_has_its_budget(tmp_path, ago_s, spent):
    run_of(tmp_path)
    (path,) = tmp_path.iterdir()
    os.utime(path, (time.time() - ago_s,) * 2)
    aim = Aim(load_settings(), sim.FOV)
    restarts.follow_on(aim, "the camera", str(tmp_path))
    assert (aim.budget.left == 0.0) is spent
    aim = Aim(load_settings(), sim.FOV)
    restarts.follow_on(aim, "another camera", str(tmp_path))
    assert aim.budget.left == aim.budget.most


def test_a_folder_that_takes_no_file_ends_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    assert run_of(tmp_path / "file" / "folder")[1] > 10.0


FLAPS = [(None, every, silent) for every, silent in ((3.0, 0.8), (10.0, 1.0), (1.5, 0.9))]
FLAPS += [(sim.calibration(0.1), every, silent) for _, every, silent in FLAPS]


@pytest.mark.parametrize(("known", "every", "silent"), FLAPS)
def test_a_link_that_flaps_does_not_turn_a_camera_on(known, every, silent):
    for case in sim.flapping(0.1, every, silent):
        found = sim.Run(case, known, 3).go()
        assert found.away < 12.0 and found.stopped_s < 40.0


def test_without_the_rule_a_link_that_flaps_turns_it_away(monkeypatch):
    gone = lambda t: t > 5 and t % 3 < 0.8  # noqa: E731
    options = {"picture": sim.Frozen(5.0, off_deg=10.0), "silent": gone}
    case = sim.Case("frozen 10° off", sim.standing(8.0), 40, 5.0, options)
    assert sim.Run(case, None, 3).go().away < 12.0
    forget = Aim.forget
    monkeypatch.setattr(Aim, "forget", lambda aim: (forget(aim), aim.budget.refill()))
    assert sim.Run(case, None, 3).go().away > 20.0
