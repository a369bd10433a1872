"""Runs of the FPS suite: on this computer and on synthetic boards, through the very same code."""

import re
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from hotpath.boards import detect, telemetry
from hotpath.boards.files import Root
from hotpath.deploy.fps import cases, checkout, evidence, measure
from hotpath.deploy.fps import fps_command as command
from hotpath.deploy.fps.fps_command import main
from hotpath.runtime import load_tracker
from hotpath.runtime.engines.base import Setup
from hotpath.runtime.errors import BadBundle
from hotpath.runtime.networks import load_network
from tests.support import board_roots, tiny
from tests.support.errors import refusal


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return str(tiny.write_network(tmp_path_factory.mktemp("tiny")))


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(measure, "PERIOD_S", 0.01)  # a sample, however fast this computer is
    monkeypatch.setattr(measure, "FILM", 25)
    monkeypatch.setattr(command, "LOOK_S", 0.0)


def sensors(own):
    return telemetry.Telemetry(own.folder, detect.detect(Root(own.folder)).board)


@pytest.fixture
def run_on(network, tmp_path):
    """A function that makes a short run on a board's files: its evidence."""

    def run(own, say=print, **more):
        given = dict(frames=24, rounds=2, warm_s=0.0)
        settings = measure.SpeedSettings(
            [cases.SpeedCase(network, "fp32", "auto")], **dict(given, **more)
        )
        side = measure.Side(tmp_path / "evidence.json")
        (found,) = measure.SpeedRun(settings, [side], say, own.folder).measure()
        assert evidence.read_evidence(side.path) == found
        return found

    return run


@pytest.mark.parametrize("name", board_roots.NAMES)
def test_every_board_gives_valid_evidence(name, run_on, tmp_path):
    found = run_on(board_roots.BoardRoot(name, tmp_path / "root"), rounds=1)
    assert found["run"]["complete"] and len(found["results"][0]["rounds"]) == 1
    assert name.startswith(found["before"]["board"])
    assert found["samples"] and found["before"]["snapshot"].startswith("# hotpath board snapshot")


def test_a_healthy_board_in_its_fastest_mode_is_ok(run_on, orin):
    fastest = sensors(orin).fastest_power_mode()
    orin.put("var/lib/nvpmodel/status", f"pmode:{fastest.id:04d} fmode:quiet")
    for pattern in ("cur_state", "*crit_alarm"):
        for path in orin.folder.rglob(pattern):
            path.write_text("0")
    found = run_on(orin)
    assert found["invalid"] == []
    assert found["before"]["power_mode"] == fastest.name
    assert all(sample["power_total_mw"] > 0 for sample in found["samples"])


def test_events_between_rounds_make_a_run_invalid(run_on, orin):
    (path,) = orin.folder.rglob("oc1_event_cnt")
    count = int(path.read_text()) + 3

    def say(text):
        if text.startswith("round 1"):
            path.write_text(str(count))

    assert "3 under-voltage events" in run_on(orin, say, frames=12)["invalid"]


def test_each_round_has_a_process_of_its_own(run_on, tmp_path, monkeypatch):
    numbers = []
    usual = measure.Worker.wait_ready

    def note(worker):
        numbers.append(worker._process.pid)
        return usual(worker)

    monkeypatch.setattr(measure.Worker, "wait_ready", note)
    rounds = run_on(board_roots.BoardRoot("pynq_z2", tmp_path / "root"))["results"][0]["rounds"]
    assert len(set(numbers)) == 2 and [len(each["ms"]["total"]) for each in rounds] == [24, 24]


@pytest.fixture
def busy(monkeypatch):
    """A computer of which others keep one and a half processors busy."""
    usual = measure.Sampler.read

    def read(sampler, worker_s=0.0):
        return dict(usual(sampler, worker_s), other_cores=1.5)

    monkeypatch.setattr(measure.Sampler, "read", read)


def only(folder):
    (path,) = folder.glob("evidence-host-*.json")
    return evidence.read_evidence(path)


def test_a_quick_run_times_what_track_runs_also_if_busy(busy, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(command.QUICK, "frames", 10)
    assert main(["--quick", "--networks", "kestrel_fast", "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert out.count("other processes kept 1.5") == 1 and "warning: " in out.splitlines()[-1]
    with load_tracker("kestrel_fast", recover=False) as tracker:
        runs = tracker.engine.describe()["precision"]
    assert [result["precision"] for result in only(tmp_path)["results"]] == [runs]


def test_on_a_busy_computer_nothing_is_measured(busy, network, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(measure.Worker, "__init__", None)  # no process may start
    monkeypatch.setattr(command, "LOOK_S", 0.01)
    assert main(["--networks", network, "--out", str(tmp_path)]) == 3
    assert "1.5 processors were busy before the start" in capsys.readouterr().out
    found = only(tmp_path)
    assert found["invalid"] and not found["run"]["complete"]


def test_an_invalid_run_ends_after_two_rounds(busy, run_on, tmp_path):
    found = run_on(board_roots.BoardRoot("pynq_z2", tmp_path / "root"), rounds=30, frames=12)
    assert len(found["results"][0]["rounds"]) == 2 and found["run"]["complete"]


def test_the_command_leaves_evidence_and_report(network, tmp_path, capsys):
    given = ["--networks", network, "--out", str(tmp_path)]
    code = main([*given, "--frames", "20", "--rounds", "1", "--warm-up", "0.1"])
    assert code in (0, 3)  # 3: this computer is busy with something else
    assert (code == 3) == (bool(only(tmp_path)["invalid"]))
    told = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert re.search(r"\| tiny +\| fp32 +\|", told) and told in capsys.readouterr().out


def test_a_killed_run_leaves_the_rounds_that_were_finished(network, tmp_path):
    """Without a look at the computer, which may be busy here."""
    code = "import sys; from hotpath.deploy.fps import fps_command as fps; "
    code += "fps.LOOK_S = 0.0; fps.main()"
    words = ["--networks", network, "--out", str(tmp_path), "--frames", "20", "--warm-up", "0.1"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *words, "--rounds", "100000"],
        cwd=checkout.CHECKOUT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.time() + 60
    try:
        while time.time() < deadline and process.poll() is None:
            paths = list(tmp_path.glob("evidence-*.json"))
            if paths and evidence.read_evidence(paths[0])["results"][0]["rounds"]:
                break
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    found = only(tmp_path)
    assert not found["run"]["complete"] and "after" not in found
    assert found["results"][0]["rounds"]


@pytest.mark.parametrize("period_s, samples", [(3600.0, 0), (1e-9, 5)])
def test_samples_are_taken_between_frames_once_a_period(orin, monkeypatch, period_s, samples):
    monkeypatch.setattr(measure, "PERIOD_S", period_s)
    sampler = measure.Sampler(sensors(orin))
    for _ in range(5):
        sampler.tick(0.0)
    assert len(sampler.samples) == samples
    assert all("hottest_temp_c" in sample for sample in sampler.samples)


@pytest.mark.parametrize("option", ["--warm-up nan", "--warm-up inf", "--precision fp99"])
def test_a_wrong_value_ends_before_a_frame_is_timed(option, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*option.split(), "--out", str(tmp_path / "out")])
    assert ended.value.code == 2 and not (tmp_path / "out").exists()
    assert option.split()[1] in capsys.readouterr().err


def test_what_track_runs_is_timed(monkeypatch):
    def timed(*words):
        settings = command._settings(command._parser(words).parse_args(words))
        return [(case.network, case.precision, case.engine) for case in settings.cases]

    assert [network for network, _, _ in timed()] == ["lightfc", "kestrel"]
    assert timed("--networks", "kestrel", "--precision", "fp32") == [("kestrel", "fp32", "auto")]
    built = SimpleNamespace(engine="tensorrt", precision="fp16")
    nano = Setup(load_network("kestrel"), bundle=built)
    monkeypatch.setattr(command, "choose", lambda options: nano)
    monkeypatch.setattr(command, "choose_witness", lambda *given: (None, ""))
    assert timed() == [("kestrel", "fp16", "tensorrt")]  # the witness is not built
    witness = Setup(load_network("kestrel_fast"), bundle=built)
    monkeypatch.setattr(command, "choose_witness", lambda *given: (witness, ""))
    assert timed()[1:] == [("kestrel_fast", "fp16", "tensorrt")]
    nano = Setup(load_network("kestrel"), missing="there is no bundle; run `make engine`")
    with refusal(BadBundle, "no bundle", command="make engine"):
        timed()
