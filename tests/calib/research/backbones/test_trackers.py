"""python -m calib.research.backbones.trackers: figures of trained trackers."""

import json

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="backbones need torch: make setup ALSO=train,backbones")
pytest.importorskip("onnxruntime")
pytest.importorskip("matplotlib")

from calib.research.backbones import trackers  # noqa: E402  (after the check for torch)
from calib.research.train import export, options, record  # noqa: E402
from calib.research.train.network import Kestrel  # noqa: E402
from tests.support import tiny  # noqa: E402
from tests.support.clips import write_boxes  # noqa: E402

FRAMES = 10  # of a clip


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Two clips for ranges, two to report on, and a run whose tracker has learnt nothing."""
    folder = tmp_path_factory.mktemp("world")
    frames, boxes = tiny.film(4 * FRAMES, width=160, height=120, side=24)
    for number in range(4):
        part = slice(number * FRAMES, (number + 1) * FRAMES)
        clip = folder / ("ranges", "clips")[number // 2] / str(number)
        (clip / "img").mkdir(parents=True)
        for index, frame in enumerate(frames[part]):
            cv2.imwrite(str(clip / "img" / f"{index:03d}.png"), frame)
        write_boxes(clip / "boxes.csv", np.array(boxes[part]))
    torch.manual_seed(0)
    run = folder / "runs" / "one"
    given = ["--images", str(folder / "clips"), "--out", str(run), "--shape", "tiny"]
    run.mkdir(parents=True)
    record.write(run, options.parser().parse_args(given))
    line = {"stage": "backbone", "pairs": 640, "seconds": 9.0, "processor_seconds": 6.0}
    (run / "log.jsonl").write_text(json.dumps(line) + "\n")
    network = Kestrel("tiny").eval()
    torch.save({"config": network.config, "average": network.state_dict()}, run / "tune.pt")
    export.export(run / "tune.pt", run / "export")
    return folder


def arguments(world, *runs):
    named = [str(world / "runs" / run) for run in runs]
    sets = ["--ranges", str(world / "ranges"), "--clips", str(world / "clips")]
    return [*named, *sets, "--rounds", "3", "--out", str(world / "out")]


def test_a_tracker_is_judged_once_and_timed_each_time(world, capsys):
    assert trackers.main(arguments(world, "one")) == 0
    assert "| one | 640 | 0.1 |" in capsys.readouterr().out
    told = json.loads((world / "out" / "trackers.json").read_text())
    (row,) = told["trackers"]
    assert told["clips"] == ["2", "3"] and row["seed"] == 0
    changed = row["one_step"]["int8"][0] - row["one_step"]["fp32"][0]
    assert row["change"]["one_step"][0] == pytest.approx(changed, abs=1e-9)
    assert all(type(cycles) is int for cycles in row["cycles"].values())
    assert all(ms > 0 for engine in row["ms"].values() for ms in engine.values())
    kept = sorted((world / "out" / "work").rglob("figures.jsonl"))
    before = [path.read_text() for path in kept]
    assert trackers.main(arguments(world, "one")) == 0
    assert [path.read_text() for path in kept] == before


def test_mistakes_are_one_sentence(world, tmp_path, capsys):
    (tmp_path / "one" / "export").mkdir(parents=True)
    same = ["--ranges", str(world / "clips"), "--clips", str(world / "clips")]
    for given, words in (
        ([str(tmp_path / "one"), *arguments(world)], "holds no tracker"),
        ([str(tmp_path / "one"), *arguments(world, "one")], "two runs have one name"),
        ([str(world / "runs" / "one"), *same], "is among --clips and --ranges"),
        ([*arguments(world, "one"), "--only", "2"], "name at least two"),
    ):
        assert trackers.main(given) == 2
        assert words in capsys.readouterr().err
