"""``python -m hotpath boards bringup``: every step is told with its result and what to do."""

import json
import re

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from hotpath.boards import snapshot, telemetry
from hotpath.deploy import film
from hotpath.deploy.bundles.engines import tensorrt
from hotpath.deploy.doctor import boards_command as command
from hotpath.deploy.doctor.bringup import film_tracking, reference, steps
from hotpath.runtime import loading
from hotpath.runtime.options import Options
from hotpath_nogpu.tensorrt import fake_bundle, machine


@pytest.fixture
def nano(monkeypatch, tmp_path):
    """This computer as a Nano with TensorRT 8.2."""
    monkeypatch.setattr(tensorrt, "CACHE", tmp_path / "cache")
    played = machine.FakeBoard("8.2")
    played.be("jetson_nano")
    yield played
    played.leave()


def bring_up(tmp_path, *networks):
    """Run the command with these networks, by default both: (exit code, dict of step -> what was
    told of it, of the last network)."""
    out = tmp_path / "evidence.json"
    words = ["bringup", "--out", str(out), "--engines", str(tmp_path / "engines")]
    code = command.main([*words, *(word for name in networks for word in ("--network", name))])
    evidence = json.loads(out.read_text())
    assert evidence["complete"] and evidence["snapshot"].startswith("# hotpath board snapshot")
    told = [step["step"] for step in evidence["steps"]]
    own = [step.__name__ for step in steps.STEPS if step in steps.OF_A_NETWORK]
    assert all(told.count(name) == len(evidence["networks"]) for name in own)
    assert list(dict.fromkeys(told)) == [step.__name__ for step in steps.STEPS]
    return code, {step["step"]: step for step in evidence["steps"]}


def test_a_computer_without_a_gpu_passes_and_skips_its_steps(tmp_path, capsys):
    code, told = bring_up(tmp_path, "kestrel")
    assert code == 0, capsys.readouterr().out
    assert told["driver"]["result"] == told["kernels"]["result"] == "skipped"
    assert told["engine"]["result"] == told["times"]["result"] == "passed"
    assert "ms a frame" in told["times"]["text"]
    assert "None" not in told["clocks"]["text"] and "jetson" not in told["clocks"]["text"]
    told = capsys.readouterr().out
    assert f"wrote {tmp_path}/evidence.json" in told
    rows = [line for line in told.splitlines() if line.startswith(("passed", "skipped"))]
    assert len(rows) == len(steps.STEPS)
    assert all(row[8] == row[20] == " " and row[21] != " " for row in rows), told  # columns


def test_a_nano_is_checked_from_the_driver_to_the_boxes_of_both(nano, tmp_path, capsys):
    code, told = bring_up(tmp_path)
    rows = capsys.readouterr().out
    for name, count in (("kestrel", 4), ("kestrel_fast", 4), ("both networks", 1)):
        assert len(re.findall(rf"(?m)^passed .*  {name}: ", rows)) == count, rows
    assert told["driver"]["text"].startswith("Tegra X1, sm_53")
    names = "device kernels correlation engine maps boxes targets pair times clocks"
    for step in names.split():
        assert told[step]["result"] == "passed", told[step]
    assert "lost and found again" in told["targets"]["text"]
    assert "sudo jetson_clocks" in told["clocks"]["text"]
    # CuPy and JetPack's packages are not really here
    assert code == 1 and told["software"]["result"] == "failed"
    assert told["software"]["advice"].startswith("run `")


RANDOM = np.random.RandomState(0)
MAPS = "x/score", "x/size", "x/offset"
OPENED = steps.driver, steps.device, steps.engine


def spoiled(change):
    """Change each map of the search."""
    return lambda maps: {n: change(v) for n, v in maps.items()} if "x/score" in maps else maps


def swapped(maps):
    """The values of each of two maps at the address of the other."""
    if "x/score" not in maps:
        return maps
    return dict(maps, **{"x/size": maps["x/offset"], "x/offset": maps["x/size"]})


def no_features(maps):
    names = [name for name in maps if name not in MAPS]
    return dict(maps, **{n: 0 * maps[n] for n in names}) if "x/score" in maps else maps


class Late:
    """Gives what the call before gave, from a call on: the exemplar's features, or the maps."""

    def __init__(self, of_search, start):
        self.of_search = of_search
        self.start = start
        self.calls = 0
        self.before = None

    def __call__(self, maps):
        if ("x/score" in maps) != self.of_search:
            return maps
        self.calls, given = self.calls + 1, self.before
        self.before = {name: np.array(values) for name, values in maps.items()}
        if self.calls < self.start:
            return maps
        return dict(maps, **{n: v for n, v in given.items() if not self.of_search or n in MAPS})


@pytest.mark.parametrize(
    "own, spoil, text",
    [
        ("boxes", spoiled(lambda v: RANDOM.permutation(v.ravel()).reshape(v.shape)), "film's"),
        ("boxes", swapped, "film's target"),
        ("boxes", spoiled(lambda v: np.where(v > 0.3, np.float16(np.inf), v)), "no finite score"),
        ("boxes", spoiled(lambda v: v * np.float32(0.9)), "differ from the processor's"),
        ("targets", no_features, "features of a window are all zero"),
        ("targets", Late(True, 13), "the other one's exemplar"),  # each has the other's maps
        ("targets", Late(False, 3), "or both have the same"),  # the second has the first's exemplar
    ],
)
def test_an_engine_that_computes_something_else_fails(
    nano, tmp_path, monkeypatch, own, spoil, text
):
    monkeypatch.setattr(steps, "STEPS", (*OPENED, steps.maps, getattr(steps, own)))
    nano.machine.spoil = spoil
    code, told = bring_up(tmp_path, "kestrel")
    assert code == 1 and told[own]["result"] == "failed" and text in told[own]["text"], told[own]
    if own == "boxes":
        assert told["maps"]["result"] == "failed" and "remove " in told["maps"]["advice"]


@pytest.mark.parametrize("name", reference.NETWORKS)
def test_the_maps_are_those_of_the_network_that_ships(name, tmp_path):
    reference.make(name, tmp_path)
    file = f"reference-{name}.npz"
    with np.load(str(tmp_path / file)) as now, np.load(str(reference.FOLDER / file)) as shipped:
        assert set(now.files) == set(shipped.files)
        assert str(now["network"]) == str(shipped["network"]), (
            "run hotpath.deploy.doctor.bringup.reference"
        )
        for key in ("exemplar", "search"):
            np.testing.assert_array_equal(now[key], shipped[key])
        for key in ("map0", "map1"):
            np.testing.assert_allclose(now[key], shipped[key], rtol=0, atol=1e-3)


@pytest.mark.parametrize("held, words", [(None, "free"), (True, "held")])
def test_times_are_told_with_the_clocks(nano, tmp_path, monkeypatch, held, words):
    monkeypatch.setattr(steps, "STEPS", (*OPENED, steps.boxes, steps.times))
    monkeypatch.setattr(telemetry.Telemetry, "locked", lambda self: {"gpu": held, "emc": None})
    _, told = bring_up(tmp_path, "kestrel")
    assert told["times"]["text"].startswith(f"clocks {words}; kestrel: whole ")
    assert ("`sudo jetson_clocks`" in told["times"]["text"]) == (held is None)
    times = json.loads((tmp_path / "evidence.json").read_text())["times"]
    assert {"frame", "crop", "network", "select"} <= set(times["kestrel"]["whole"])


@pytest.mark.fake_gpu(FAKE_CUDA_CAPABILITY="53", FAKE_CUDA_VERSION="12060")
def test_on_a_gpu_events_time_each_step(tmp_path):
    fake_bundle.make(tmp_path, "tiny", "8.2")
    loaded = loading.load(Options(bundle=tmp_path / "bundle"))
    tracker = loading.create_tracker(*loaded, Options(log=fake_bundle.quiet))
    frames, truth = film.film(60)
    measured = {
        film_tracking.way_of(tracker.device): film_tracking.track_film(
            tracker, frames, truth[0, 0]
        )[1]
    }
    measured["steps"] = film_tracking.track_by_steps(loaded, frames, truth[0, 0])
    steps = {"upload", "crop", "network", "select", "download", "frame"}
    assert set(measured) == {"graph", "steps"} and set(measured["steps"]) == steps
    assert set(measured["graph"]) == {"network", "select", "frame"}  # it has no events inside


def test_a_board_that_slows_itself_down_fails_the_clocks(nano, tmp_path, monkeypatch):
    describe = snapshot.describe
    hot = {"cooling_gpu_state": 1, "hottest_temp_c": 99.0}
    monkeypatch.setattr(snapshot, "describe", lambda: dict(describe(), sample=hot))
    monkeypatch.setattr(steps, "STEPS", (steps.clocks,))
    code, told = bring_up(tmp_path, "kestrel")
    assert code == 1 and "cooling device gpu was active" in told["clocks"]["text"]
    assert told["clocks"]["advice"].startswith("cool it")


def test_a_driver_that_does_not_start_fails_its_step_alone(nano, tmp_path):
    nano.driver.cu_init = 100
    code, told = bring_up(tmp_path, "kestrel")
    assert code == 1
    assert (
        told["driver"]["result"] == "failed"
        and "python -m hotpath boards" in told["driver"]["text"]
    )
    assert {told[name]["result"] for name in ("device", "kernels", "correlation")} == {"skipped"}
    assert told["engine"]["result"] == "failed" and told["boxes"]["result"] == "skipped"


def test_a_kernel_that_computes_nonsense_is_found(nano, tmp_path, monkeypatch):
    def wrong(self, *arguments):
        right(self, *arguments)
        for memory in self._memory.values():
            memory.view(np.uint8)[::7] = 63

    right = machine.HostDevice._depthwise
    monkeypatch.setattr(machine.HostDevice, "_depthwise", wrong)
    monkeypatch.setattr(steps, "STEPS", (steps.driver, steps.device, steps.correlation))
    _, told = bring_up(tmp_path, "kestrel")
    assert told["correlation"]["result"] == "failed"
    assert "kernels/cuda/build" in told["correlation"]["advice"]


def test_a_witness_that_follows_something_else_fails_the_pair_alone(nano, tmp_path, monkeypatch):
    """Each network passes by itself; then the second one's maps are those of another place."""
    right = steps.track_film

    def shifted(tracker, frames, start):
        if hasattr(tracker, "witness"):
            nano.machine.spoil = Late(True, 2)  # as if its first frame never ended
        return right(tracker, frames, start)

    monkeypatch.setattr(steps, "track_film", shifted)
    monkeypatch.setattr(steps, "STEPS", (*OPENED, steps.pair))
    code, told = bring_up(tmp_path)
    assert code == 1 and told["pair"]["result"] == "failed", told["pair"]
    assert "--witness none" in told["pair"]["advice"]


def test_evidence_that_can_not_be_written_is_one_sentence(tmp_path, capsys):
    assert command.main(["bringup", "--out", str(tmp_path / "no" / "x.json")]) == 2
    assert "you may write to" in capsys.readouterr().err


@pytest.mark.parametrize(
    "option, name, right",
    [("--engine", "tensort", "tensorrt"), ("--network", "kestral", "kestrel")],
)
def test_an_unknown_name_is_refused_before_the_first_step(option, name, right, tmp_path, capsys):
    evidence = tmp_path / "x.json"
    assert command.main(["bringup", option, name, "--out", str(evidence)]) == 2
    told = capsys.readouterr()
    assert f"did you mean {right}" in told.err and not told.out and not evidence.exists()
