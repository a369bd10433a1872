"""python -m calib.research.sweep: every checkpoint is judged once, and the rule chooses."""

import json
import os
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the training needs torch: pip install '.[train]'")
pytest.importorskip("onnxruntime")
pytest.importorskip("matplotlib")

from calib.research import sweep  # noqa: E402  (after the check for torch)
from calib.research.train.network import Kestrel  # noqa: E402
from tests.support import tiny  # noqa: E402
from tests.support.clips import write_boxes  # noqa: E402

NAMES = ("tune-8", "joint-8", "joint-16")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Clips, unseen ones, and a run with three checkpoints that have learnt nothing."""
    folder = tmp_path_factory.mktemp("world")
    frames, boxes = tiny.film(48, width=160, height=120, side=24)
    for number, (group, name) in enumerate(
        [("clips", "one"), ("clips", "two"), ("unseen", "three"), ("unseen", "four")]
    ):
        clip = folder / group / name
        (clip / "img").mkdir(parents=True)
        for index, frame in enumerate(frames[number * 12 : number * 12 + 12]):
            cv2.imwrite(str(clip / "img" / f"{index:03d}.png"), frame)
        write_boxes(clip / "boxes.csv", np.array(boxes[number * 12 : number * 12 + 12]))
    (folder / "run" / "checkpoints").mkdir(parents=True)
    (folder / "run" / "log.jsonl").write_text("")
    for seed, name in enumerate(NAMES):
        torch.manual_seed(seed)
        network = Kestrel("tiny").eval()
        state = {"config": network.config, "average": network.state_dict()}
        torch.save(state, folder / "run" / "checkpoints" / (name + ".pt"))
    return folder


def arguments(world, *more):
    sets = ["--clips", str(world / "clips"), "--unseen", str(world / "unseen")]
    return [str(world / "run"), *sets, "--engine", "onnxruntime", *more]


def results(world):
    """The report without times."""
    report = json.loads((world / "run" / "sweep" / "sweep.json").read_text())
    for each in [report["unseen_figures"], *report["results"].values()]:
        del each["ms"]
    return report


@pytest.mark.slow("a sweep is run three times; that of a killed tuning is tested")
def test_a_killed_sweep_goes_on_to_the_same_result(world, capsys):
    lines = world / "run" / "sweep" / "results.jsonl"
    process = subprocess.Popen(
        [sys.executable, "-m", "calib.research.sweep", *arguments(world)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while process.poll() is None and not (lines.is_file() and lines.read_text().count("\n")):
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    first = lines.read_text().split("\n")[0]
    assert sweep.main(arguments(world)) == 0
    assert lines.read_text().split("\n")[0] == first  # not judged again
    gone_on, kept = results(world), len(lines.read_text().splitlines())
    assert kept == len(NAMES) + 1  # the chosen one, on the unseen clips
    lines.unlink()
    assert sweep.main(arguments(world, "--workers", "2")) == 0
    assert results(world) == gone_on
    assert list(gone_on["results"]) == list(NAMES) and gone_on["chosen"] in NAMES
    assert "on --unseen" in capsys.readouterr().out


def test_the_chosen_checkpoint_is_tuned(world):
    pytest.importorskip("optuna", reason="needs Optuna: make setup ALSO=train,tune")
    assert sweep.main(arguments(world, "--tune", "2")) == 0
    report = json.loads((world / "run" / "sweep" / "sweep.json").read_text())
    assert set(report["tuned"]["score_held_out"]) == {"start", "best"}
    assert (world / "run" / "sweep" / "tune" / "kestrel-tuned.toml").is_file()


def found(overlaps):
    return {"overlaps": overlaps, "clip": [0, 0, 1, 1]}


def test_another_checkpoint_has_to_be_better_than_the_last_one_by_more_than_its_error():
    last = found([0.5, 0.5, 0.5, 0.5])
    unsure, sure = found([0.9, 0.9, 0.2, 0.2]), found([0.6, 0.6, 0.55, 0.55])
    assert sweep.choose({"a": unsure, "b": last}, ["a", "b"])[0] == "b"
    chosen, why = sweep.choose({"a": sure, "b": unsure, "c": last}, ["a", "b", "c"])
    assert chosen == "a" and "better than the last one by 0.0750" in why


def test_mistakes_are_one_sentence(world, tmp_path, capsys):
    clips = ["--clips", str(world / "clips")]
    for given, words in (
        ([str(tmp_path), *clips], "is no run of calib.research.train"),
        ([str(world / "run"), *clips, "--only", "one"], "name at least two"),
        ([str(world / "run"), *clips, "--unseen", str(world / "clips")], "name it in one of them"),
        ([str(world / "run"), *clips, "--workers", "0"], "--workers must be 1 or more"),
    ):
        assert sweep.main(given) == 2
        assert words in capsys.readouterr().err
    (tmp_path / "log.jsonl").write_text("")
    assert sweep.main([str(tmp_path), *clips]) == 2
    assert "has no checkpoint of the stages tune, joint, finish" in capsys.readouterr().err
