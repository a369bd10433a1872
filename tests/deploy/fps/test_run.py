"""Runs of the FPS suite: on this computer and on synthetic boards, through the very same code."""

import re
import signal
import subprocess
import sys
import time

import pytest

from hotpath.deploy.fps import __main__ as command
from hotpath.deploy.fps import clips, evidence, place, report, run, workers
from hotpath.deploy.fps.__main__ import main
from hotpath.runtime import load_tracker
from hotpath.runtime.errors import BadSource
from tests.support import board_roots, tiny
from tests.support.clips import write_clip
from tests.support.errors import refusal

ROOT = place.CHECKOUT


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return str(tiny.write_network(tmp_path_factory.mktemp("tiny")))


@pytest.fixture(scope="module")
def film():
    return clips.film(25)


def board(name, tmp_path):
    return board_roots.BoardRoot(name, tmp_path / "root")


def measure(own, network, film, tmp_path, say=print, **more):
    """A short run on a board's files."""
    given = dict({"frames": 24, "rounds": 2, "period_s": 0.01, "warm_s": 0.0}, **more)
    settings = run.Settings(networks=[network], clips=[film], **given)
    return run.measure(settings, place.Place(own.folder), tmp_path / "evidence.json", say=say)


@pytest.mark.parametrize("name", board_roots.NAMES)
def test_every_board_gives_valid_evidence(name, network, film, tmp_path):
    found = measure(board(name, tmp_path), network, film, tmp_path, rounds=1)
    assert evidence.read(tmp_path / "evidence.json") == found
    assert found["run"]["complete"] and len(found["results"][0]["rounds"]) == 1
    assert name.startswith(found["board"]["name"])
    assert found["samples"] and found["before"]["snapshot"].startswith("# hotpath board snapshot")


def test_a_healthy_board_in_its_fastest_mode_has_nothing_against_it(network, film, tmp_path):
    own = board("jetson_orin_nano_jp6", tmp_path)
    telemetry = place.Place(own.folder).telemetry
    fastest = telemetry.fastest_power_mode()
    own.put("var/lib/nvpmodel/status", f"pmode:{fastest.id:04d} fmode:quiet")
    for pattern in ("cur_state", "*crit_alarm"):
        for path in own.folder.rglob(pattern):
            path.write_text("0")
    found = measure(own, network, film, tmp_path)
    told = [r["text"] for r in found["verdict"]["reasons"] if r["state"] == "invalid"]
    assert [text for text in told if "took the CPU" not in text] == []  # of this computer's load
    assert found["before"]["power_mode"]["name"] == fastest.name
    assert found["results"][0]["figures"]["energy_mj"] > 0


def test_a_quick_run_times_what_track_runs_and_ends_well_on_a_busy_computer(
    tmp_path, capsys, monkeypatch
):
    busy = {"state": "invalid", "text": "another process took the CPU: 43% of the time"}
    monkeypatch.setattr(run, "judge", lambda _: {"state": "invalid", "reasons": [busy]})
    monkeypatch.setitem(command.QUICK, "frames", 10)
    monkeypatch.setitem(command.QUICK, "warm_s", 0.1)
    assert main(["--quick", "--networks", "kestrel_fast", "--out", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert "43%" in err and "warning" in err and "invalid" not in out
    with load_tracker("kestrel_fast", recover=False) as tracker:
        runs = tracker.engine.describe()["precision"]
    found = evidence.read(tmp_path / "evidence-host-1.json")
    assert [result["precision"] for result in found["results"]] == [runs]
    given = ["--frames", "10", "--rounds", "1", "--warm-up", "0.1", "--out", str(tmp_path)]
    assert main(["--networks", "kestrel_fast", *given]) == 3  # a run that is to be compared


def test_the_command_leaves_evidence_and_report(network, tmp_path, capsys):
    given = ["--networks", network, "--out", str(tmp_path)]
    code = main([*given, "--frames", "20", "--rounds", "1", "--warm-up", "0.1"])
    assert code in (0, 3)  # 3: this computer is busy with something else
    found = evidence.read(tmp_path / "evidence-host-1.json")
    assert (code == 3) == (found["verdict"]["state"] == "invalid")
    told = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert re.search(r"\| tiny +\| fp32 +\|", told) and told in capsys.readouterr().out


def test_a_killed_run_leaves_the_rounds_that_were_finished(network, tmp_path):
    command = [
        sys.executable,
        "-m",
        "hotpath.deploy.fps",
        "--networks",
        network,
        "--out",
        str(tmp_path),
    ]
    command += ["--frames", "20", "--rounds", "100000", "--warm-up", "0.1"]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    path, deadline = tmp_path / "evidence-host-1.json", time.time() + 60
    try:
        while time.time() < deadline and process.poll() is None:
            if path.exists() and len(evidence.read(path)["results"][0]["rounds"]) >= 2:
                break
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    found = evidence.read(path)
    assert not found["run"]["complete"] and "after" not in found
    assert len(found["results"][0]["rounds"]) >= 2
    assert found["results"][0]["figures"]["fps"] > 0
    assert "stopped before its end" in str(found["verdict"])
    report.write(tmp_path / "later", [found], [], None)


class Made:
    """A loop and a telemetry that give what they are told, block by block."""

    def __init__(self, ms, clocks):
        self.ms, self.clocks = iter(ms), iter(clocks)

    def block(self, count):
        return {"ms": {"total": [next(self.ms)] * count}, "boxes": [], "waited_s": 0.0}

    def read(self):
        return {"gpu_clock_hz": next(self.clocks)}


@pytest.mark.parametrize(
    "ms, clocks, longest_s, blocks",
    [
        ([2.0] * 9, [1e9] * 9, 60.0, 4),
        ([4.0, 3.0, 2.0, 2.0, 2.0, 2.0, 2.0], [1e9] * 9, 60.0, 6),
        ([2.0] * 9, [5e8, 7e8, 1e9, 1e9, 1e9, 1e9], 60.0, 6),
        ([2.0, 4.0], [1e9] * 2, 0.0, 1),
    ],
)
def test_a_warm_up_ends_when_times_and_clocks_are_steady(ms, clocks, longest_s, blocks):
    made = Made(ms, clocks)
    found = run.warm_up(made, workers.Timed(), made, run.Sampler(made, 0), longest_s)
    assert found["steady"] == (longest_s > 0) and found["frames"] == blocks * workers.BLOCK


def test_each_round_has_a_process_of_its_own(network, film, tmp_path, monkeypatch):
    numbers = []
    usual = workers.Worker.wait_ready

    def note(worker):
        numbers.append(worker._process.pid)
        return usual(worker)

    monkeypatch.setattr(workers.Worker, "wait_ready", note)
    found = measure(board("pynq_z2", tmp_path), network, film, tmp_path, rounds=2)
    assert len(set(numbers)) == 2 == len(found["results"][0]["rounds"])
    assert {len(r["ms"]["total"]) for r in found["results"][0]["rounds"]} == {24}


def test_samples_are_taken_between_frames_once_a_period(tmp_path):
    own = board("pynq_z2", tmp_path)
    silent = run.Sampler(place.Place(own.folder).telemetry, 3600.0)
    often = run.Sampler(place.Place(own.folder).telemetry, 1e-9)
    for sampler in (silent, often):
        for _ in range(5):
            sampler.tick()
    assert len(silent.samples) == 0 and len(often.samples) == 5
    assert all("hottest_temp_c" in sample for sample in often.samples)


def test_clips_of_a_folder_are_as_long_as_is_asked_and_short_ones_are_refused(tmp_path):
    write_clip(tmp_path / "one", *tiny.film(12, 96, 72, 20))
    (clip,) = clips.load(tmp_path, most=11)
    assert clip.name == "one" and len(clip.frames) == 11 and clip.box[2:] == (20, 20)
    write_clip(tmp_path / "short", *tiny.film(5, 96, 72, 20))
    with refusal(BadSource, "too short"):
        clips.load(tmp_path)


def test_events_between_rounds_make_a_run_invalid(network, film, tmp_path):
    own = board("jetson_orin_nano_jp6", tmp_path)
    (path,) = own.folder.rglob("oc1_event_cnt")
    count = int(path.read_text()) + 3

    def say(text):
        if text.startswith("round 1"):
            path.write_text(str(count))

    found = measure(own, network, film, tmp_path, say, frames=12)
    assert evidence.read(tmp_path / "evidence.json") == found
    (told,) = [r for r in found["verdict"]["reasons"] if "3 under-voltage" in r["text"]]
    assert told["state"] == "invalid"
