"""Runs of the FPS suite: on this computer and on synthetic boards, through the very same code."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import cv2
import pytest

from tests.fps import clips, evidence, lock, place, report, run, simple
from tests.fps.__main__ import main
from tests.support import board_roots, tiny
from tests.support.tiny import write_network

ROOT = place.CHECKOUT
GPU = {
    "jetson_nano_jp4": "sys/class/devfreq/57000000.gpu",
    "jetson_xavier_nx_jp5": "sys/class/devfreq/17000000.gv11b",
}


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return str(write_network(tmp_path_factory.mktemp("tiny")))


@pytest.fixture(scope="module")
def film():
    return clips.film(25)


class Board(board_roots.BoardRoot):
    """A synthetic board on which a run takes place."""

    def measure(self, network, film, tmp_path, at=None, rounds=2, **more):
        """A short run; ``at`` is called before the second round."""
        settings = run.Settings(
            networks=[network],
            clips=[film],
            frames=24,
            rounds=rounds,
            period_s=0.01,
            warm_s=0.0,
            **more,
        )
        self.said = []

        def say(text):
            self.said.append(text)
            if at is not None and text.startswith("round 1"):
                at(self)

        return run.measure(settings, place.Place(self.folder), tmp_path / "evidence.json", say=say)

    def counter(self, name):
        """The path of one of soctherm's counters below the root."""
        found = list(self.folder.rglob(name))
        assert found, "this board has no " + name
        return str(found[0].relative_to(self.folder))


def board(name, tmp_path):
    return Board(name, tmp_path / "root")


def texts(found, state):
    return " ".join(r["text"] for r in found["verdict"]["reasons"] if r["state"] == state)


@pytest.mark.parametrize("name", board_roots.NAMES)
def test_every_board_gives_valid_evidence(name, network, film, tmp_path):
    found = board(name, tmp_path).measure(network, film, tmp_path)
    assert evidence.read(tmp_path / "evidence.json") == found
    assert found["run"]["complete"] and len(found["results"][0]["rounds"]) == 2
    assert name.startswith(found["board"]["name"])
    assert found["samples"] and found["before"]["snapshot"].startswith("# hotpath board snapshot")


def quiet(found):
    """Reasons that are the board's, not this computer's load."""
    own = ("CPU was waited", "took the CPU", "not steady", "processors busy")
    return [r for r in found["verdict"]["reasons"] if not any(part in r["text"] for part in own)]


def test_a_healthy_board_in_its_fastest_mode_has_nothing_against_it(network, film, tmp_path):
    own = board("jetson_orin_nano_jp6", tmp_path)
    telemetry = place.Place(own.folder).telemetry
    fastest = telemetry.fastest_power_mode()
    own.put("var/lib/nvpmodel/status", f"pmode:{fastest.id:04d} fmode:quiet")
    _cool(own)
    found = own.measure(network, film, tmp_path)
    assert [r for r in quiet(found) if r["state"] == "invalid"] == []
    assert found["before"]["power_mode"]["name"] == fastest.name
    assert found["results"][0]["figures"]["energy_mj"] > 0


def _cool(own):
    for path in own.folder.rglob("cur_state"):
        path.write_text("0")
    for path in own.folder.rglob("*crit_alarm"):
        path.write_text("0")


@pytest.mark.parametrize(
    "counter, state, words",
    [
        ("oc1_event_cnt", "invalid", "3 under-voltage"),
        ("oc2_event_cnt", "invalid", "3 average over-current"),
        ("oc3_event_cnt", "warn", "3 peak over-current"),
    ],
)
def test_throttle_events_during_the_run_count(counter, state, words, network, film, tmp_path):
    own = board("jetson_orin_nano_jp6", tmp_path)
    path = own.counter(counter)
    before = int(own.path(path).read_text())
    found = own.measure(network, film, tmp_path, at=lambda b: b.put(path, before + 3))
    assert words in texts(found, state)


def test_a_mode_that_changes_makes_a_run_invalid(network, film, tmp_path):
    own = board("jetson_orin_nano_jp6", tmp_path)
    own.put("var/lib/nvpmodel/status", "pmode:0000 fmode:quiet")
    found = own.measure(
        network, film, tmp_path, at=lambda b: b.put("var/lib/nvpmodel/status", "pmode:0001")
    )
    assert "power mode changed: 15W" in texts(found, "invalid")


def test_mode_0_that_is_not_the_fastest_is_named(network, film, tmp_path):
    own = board("jetson_xavier_nx_jp5", tmp_path)
    own.put("var/lib/nvpmodel/status", "pmode:0000 fmode:quiet")
    found = own.measure(network, film, tmp_path)
    assert "the power mode is MODE_15W_2CORE, the fastest is MODE_20W_6CORE" in texts(found, "warn")


def test_an_active_cooling_device_makes_a_run_invalid(network, film, tmp_path):
    own = board("jetson_orin_nano_jp6", tmp_path)
    device = "sys/class/thermal/cooling_device90"
    own.put(device + "/type", "gpu-throttle")
    own.put(device + "/cur_state", "0")
    found = own.measure(network, film, tmp_path, at=lambda b: b.put(device + "/cur_state", "2"))
    assert "cooling device gpu_throttle was active" in texts(found, "invalid")


def test_a_surface_above_70_degrees_does_not_make_a_run_invalid(network, film, tmp_path):
    own = board("jetson_orin_nano_jp6", tmp_path)
    _cool(own)
    state = "sys/class/thermal/cooling_device6/cur_state"
    assert own.path("sys/class/thermal/cooling_device6/type").read_text() == "hot-surface-alert"
    found = own.measure(network, film, tmp_path, at=lambda b: b.put(state, "1"))
    assert "cooling device" not in texts(found, "invalid")


def test_a_clock_below_its_lock_makes_a_run_invalid(network, film, tmp_path):
    own = board("jetson_xavier_nx_jp5", tmp_path)
    folder = os.path.dirname(place.Place(own.folder).telemetry.found["gpu_clock_hz"])
    for name in ("min_freq", "max_freq", "cur_freq"):
        own.put(folder + "/" + name, 1109250000)
    held = own.measure(network, film, tmp_path)
    assert "below 95%" not in texts(held, "invalid")
    found = own.measure(
        network, film, tmp_path, at=lambda b: b.put(folder + "/cur_freq", 900000000)
    )
    assert "gpu_clock was below 95% of its lock" in texts(found, "invalid")


def test_another_process_on_the_gpu_makes_a_run_invalid(network, film, tmp_path):
    own = board("jetson_xavier_nx_jp5", tmp_path)
    load = place.Place(own.folder).telemetry.found["gpu_load_percent"]
    own.put(load, 430)
    assert "takes the GPU: 43% busy" in texts(own.measure(network, film, tmp_path), "invalid")


def test_boxes_that_are_not_the_references_make_a_run_invalid(network, film, tmp_path):
    own = board("pynq_z2", tmp_path)
    found = own.measure(network, film, tmp_path)
    other = json.loads(json.dumps(found))
    run.finish(found, other)
    assert "differ from the reference" not in texts(found, "invalid")
    other["results"][0]["boxes"] = [
        [x + 20, y, w, h] for x, y, w, h in found["results"][0]["boxes"]
    ]
    run.finish(found, other)
    assert "boxes differ from the reference" in texts(found, "invalid")


def test_lock_sets_the_fastest_mode_and_sets_it_back(tmp_path):
    own = board("jetson_orin_nano_jp6", tmp_path)
    own.put("var/lib/nvpmodel/status", "pmode:0000 fmode:quiet")
    where, commands = place.Place(own.folder), []
    with pytest.raises(KeyError), lock.Lock(where, True, commands.append) as held:
        fastest = str(where.telemetry.fastest_power_mode().id)
        assert ["nvpmodel", "-m", fastest] in commands and held.changed
        raise KeyError("whatever goes wrong meanwhile")
    assert commands[-1] == ["nvpmodel", "-m", "0"]


def test_lock_without_its_tools_is_one_sentence(tmp_path, capsys, network, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    own = board("jetson_xavier_nx_jp5", tmp_path)
    arguments = ["--lock", "--root", str(own.folder), "--networks", network]
    arguments += ["--engines", "onnxruntime", "--precision", "fp32", "--out", str(tmp_path)]
    assert main(arguments) == 2
    assert "leave --lock away" in capsys.readouterr().err


def test_the_command_leaves_evidence_and_report(network, tmp_path, capsys):
    arguments = ["--networks", network, "--out", str(tmp_path)]
    code = main([*arguments, "--frames", "20", "--rounds", "1", "--warm-up", "0.1"])
    assert code in (0, 3)  # 3: this computer is busy with something else
    found = evidence.read(tmp_path / "evidence-host-1.json")
    assert (code == 3) == (found["verdict"]["state"] == "invalid")
    told = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert re.search(r"\| tiny +\| fp32 +\|", told) and told in capsys.readouterr().out


def test_a_killed_run_leaves_the_rounds_that_were_finished(network, tmp_path):
    command = [sys.executable, "-m", "tests.fps", "--networks", network, "--out", str(tmp_path)]
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
    assert "stopped before its end" in texts(found, "warn") + texts(found, "invalid")
    report.write(tmp_path / "later", [found], [], None)


class Made:
    """A loop and a telemetry that give what they are told, block by block."""

    def __init__(self, ms, clocks):
        self.ms, self.clocks = iter(ms), iter(clocks)

    def run(self, count, between):
        return {"total": [next(self.ms)] * count}, []

    def read(self):
        return {"gpu_clock_hz": next(self.clocks)}


@pytest.mark.parametrize(
    "ms, clocks, blocks",
    [
        ([2.0] * 9, [1e9] * 9, 4),
        ([4.0, 3.0, 2.0, 2.0, 2.0, 2.0, 2.0], [1e9] * 9, 6),
        ([2.0] * 9, [5e8, 7e8, 1e9, 1e9, 1e9, 1e9], 6),
    ],
)
def test_a_warm_up_ends_when_times_and_clocks_are_steady(ms, clocks, blocks):
    made = Made(ms, clocks)
    found = run.warm_up(made, made, run.Silent(), 60.0)
    assert found["steady"] and found["frames"] == blocks * run.WARM_BLOCK


def test_a_warm_up_that_never_grows_steady_ends_all_the_same():
    made = Made([2.0, 4.0] * 5, [1e9] * 10)
    found = run.warm_up(made, made, run.Silent(), 0.0)
    assert not found["steady"] and found["frames"] == run.WARM_BLOCK


def test_samples_are_taken_between_frames_once_a_period(tmp_path):
    own = board("pynq_z2", tmp_path)
    silent = run.Sampler(place.Place(own.folder).telemetry, 3600.0)
    often = run.Sampler(place.Place(own.folder).telemetry, 1e-9)
    for sampler in (silent, often):
        for _ in range(5):
            sampler.tick()
    assert len(silent.samples) == 0 and len(often.samples) == 5
    assert all("hottest_temp_c" in sample for sample in often.samples)


def test_a_clip_is_timed_in_the_precision_that_is_named(tmp_path):
    (tmp_path / "frames").mkdir()
    for index, picture in enumerate(tiny.film(3)[0]):
        cv2.imwrite(str(tmp_path / "frames" / f"{index:04d}.png"), picture)
    arguments = ["--video", tmp_path / "frames", "--box", "96,72,40,40", "--frames", "4"]
    for name, runs in (("fp32", "kestrel"), ("int8", "kestrel-int8")):
        path = tmp_path / (name + ".json")
        more = ["--precision", name, "--json", path]
        assert simple.main([str(word) for word in arguments + more]) == 0
        assert json.loads(path.read_text())["network"] == runs


def test_a_clip_without_a_box_names_what_it_needs(tmp_path, capsys):
    cv2.imwrite(str(tmp_path / "0000.png"), tiny.film(1)[0][0])
    assert simple.main(["--video", str(tmp_path), "--against", "opencv"]) == 2
    assert "give --box X,Y,W,H, or name a folder with groundtruth.txt" in capsys.readouterr().err


def test_the_search_is_left_out_on_request(tmp_path, monkeypatch):
    cv2.imwrite(str(tmp_path / "0000.png"), tiny.film(1)[0][0])
    asked = []
    monkeypatch.setattr(simple, "load_tracker", lambda **given: asked.append(given["recover"]))
    for more in ([], ["--no-recover"]):
        with pytest.raises(AttributeError):  # there is no tracker
            simple.main(["--video", str(tmp_path), "--box", "96,72,40,40"] + more)
    assert asked == [None, False]


@pytest.mark.parametrize("targets", [[], ["--targets", "1"]])
def test_a_clip_of_which_no_frame_is_timed_is_one_sentence(tmp_path, capsys, targets):
    (tmp_path / "frames").mkdir()
    for index, picture in enumerate(tiny.film(simple.WARM_UP)[0]):  # frame 20 is its first again
        cv2.imwrite(str(tmp_path / "frames" / f"{index:04d}.png"), picture)
    network = tiny.write_network(tmp_path)
    arguments = ["--video", tmp_path / "frames", "--box", "96,72,40,40", "--network", network]
    arguments = [str(word) for word in arguments] + targets
    assert simple.main(arguments + ["--frames", "1"]) == 2
    assert "no frame was timed" in capsys.readouterr().err
    assert simple.main(arguments + ["--frames", "2"]) == 0
