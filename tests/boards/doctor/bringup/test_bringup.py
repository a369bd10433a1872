"""``python -m boards bringup``: every step is told with its result and what to do."""

import json

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from boards import __main__ as command
from boards.build.engines import tensorrt
from boards.doctor.bringup import film, steps
from tests.fakes.tensorrt import machine


@pytest.fixture
def nano(monkeypatch, tmp_path):
    """This computer as a Nano with TensorRT 8.2."""
    monkeypatch.setattr(tensorrt, "CACHE", tmp_path / "cache")
    played = machine.Board("8.2")
    played.be("jetson_nano")
    yield played
    played.leave()


def bring_up(tmp_path):
    """Run the command: (exit code, dict of step -> what was told of it)."""
    out = tmp_path / "evidence.json"
    code = command.main(["bringup", "--out", str(out), "--engines", str(tmp_path / "engines")])
    evidence = json.loads(out.read_text())
    assert evidence["complete"] and evidence["snapshot"].startswith("# hotpath board snapshot")
    assert [told["step"] for told in evidence["steps"]] == [s.__name__ for s in steps.STEPS]
    return code, {told["step"]: told for told in evidence["steps"]}


def test_a_computer_without_a_gpu_passes_and_skips_what_is_about_one(tmp_path, capsys):
    code, told = bring_up(tmp_path)
    assert code == 0, capsys.readouterr().out
    assert told["driver"]["result"] == told["kernels"]["result"] == "skipped"
    assert told["engine"]["result"] == told["times"]["result"] == "passed"
    assert "ms a frame" in told["times"]["text"]
    assert "None" not in told["clocks"]["text"] and "jetson" not in told["clocks"]["text"]
    assert "send it in" in capsys.readouterr().out


def test_a_nano_is_checked_from_the_driver_to_the_boxes(nano, tmp_path):
    code, told = bring_up(tmp_path)
    assert told["driver"]["text"].startswith("Tegra X1, sm_53")
    for step in ("device", "kernels", "correlation", "engine", "boxes", "times", "clocks"):
        assert told[step]["result"] == "passed", told[step]
    assert "sudo jetson_clocks" in told["clocks"]["text"]
    # CuPy and JetPack's packages are not really here
    assert code == 1 and told["software"]["result"] == "failed"
    assert told["software"]["advice"].startswith("run `")


def test_a_driver_that_does_not_start_fails_its_step_and_skips_those_that_need_it(nano, tmp_path):
    nano.driver.cu_init = 100
    code, told = bring_up(tmp_path)
    assert code == 1
    assert told["driver"]["result"] == "failed" and "python -m boards" in told["driver"]["text"]
    assert {told[name]["result"] for name in ("device", "kernels", "correlation")} == {"skipped"}
    assert told["engine"]["result"] == "failed" and told["boxes"]["result"] == "skipped"


def test_a_kernel_that_computes_nonsense_is_found(nano, tmp_path, monkeypatch):
    def wrong(self, *arguments):
        right(self, *arguments)
        for memory in self._memory.values():
            memory.view(np.uint8)[::7] = 63

    right = machine.Device._depthwise
    monkeypatch.setattr(machine.Device, "_depthwise", wrong)
    _, told = bring_up(tmp_path)
    assert told["correlation"]["result"] == "failed"
    assert "kernels/cuda/build" in told["correlation"]["advice"]


def test_the_film_is_the_same_everywhere_and_its_patch_moves():
    frames, box = film.film(30)
    again, _ = film.film(30)
    assert all(np.array_equal(a, b) for a, b in zip(frames, again))
    assert frames[0].shape == (480, 640, 3) and box[2:] == (64.0, 64.0)
    assert np.abs(frames[29].astype(int) - frames[0]).max() > 100


def test_evidence_that_can_not_be_written_is_one_sentence(tmp_path, capsys):
    assert command.main(["bringup", "--out", str(tmp_path / "no" / "x.json")]) == 2
    assert "name a file in a folder that you may write to" in capsys.readouterr().err
