"""The log of a training, and its curves."""

import re

import cv2
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from hotpath_research.train import __main__ as training  # noqa: E402  (after torch's check)
from hotpath_research.train import curves, judging, loop  # noqa: E402
from research_tests.train.test_losses import ONE_PICTURE, batch, losses, maps_of  # noqa: E402
from tests.support import ROOT  # noqa: E402

OF_OWN_CLIPS = {
    "before",
    "after",
    "gain",
    "error",
    "better",
    "clips",
    "frames",
}  # keys of --learn-boxes


def documented(heading):
    """The keys in the first column of the table below a heading of this project's README."""
    text = (ROOT / "projects" / "research" / "README.md").read_text(encoding="utf-8")
    table = text.split(heading + "\n")[1].split("\n## ")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return {key for row in rows for key in re.findall("`(.+?)`", row)}


def test_the_figures_of_the_losses_and_of_clips_are_explained():
    pair = batch(ONE_PICTURE)
    found = {name.lstrip("_") for name in losses.map_losses(maps_of(pair), pair)}
    assert {"precision", "recall"} < found
    assert found | set(judging.figures("SET", [0.5, 0.2], ["a", "b"])) < documented("## The log")


def write_run(folder, *lines):
    folder.mkdir()
    log = loop.Log(folder / "log.jsonl")
    log(event="started", options={})
    for pairs, values in lines:
        log(stage="head", pairs=pairs, steps=1, seconds=0.1, **values)
    return folder


def test_the_curves_of_two_runs_are_drawn_into_one_picture(tmp_path, capsys):
    lines = [(n, {"score": 1 / n, "r2_search": 0.5, "lr": 0.1 / n}) for n in (10, 20)]
    one = write_run(tmp_path / "one", *lines, (20, {"event": "judged", "held_score": 0.2}))
    again = [(20, {"score": 9.0}), (30, {"score": 0.1, "precision": 0.5})]  # went on after a kill
    two = write_run(tmp_path / "two", *lines, *again)
    found = curves.curves_of(one)
    assert list(found) == [("head", "score"), ("head", "lr")]  # what does not change is left out
    assert found["head", "score"]["held_score"] == [(20, 0.2)]
    assert curves.curves_of(two)["head", "score"]["score"] == [(10, 0.1), (20, 9.0), (30, 0.1)]
    with pytest.raises(SystemExit) as ended:
        training.main(["--plot", str(one), str(two)])
    assert not ended.value.code and str(one / "curves.png") in capsys.readouterr().err
    assert cv2.imread(str(one / "curves.png")).shape[1] > 1000


def test_a_run_without_figures_is_not_drawn(tmp_path, capsys):
    for run in (write_run(tmp_path / "new"), tmp_path / "none"):
        assert training.main(["--plot", str(run)]) == 2
        assert str(run / "log.jsonl") in capsys.readouterr().err
