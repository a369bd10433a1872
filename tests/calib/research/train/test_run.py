"""Whole trainings, seconds long, with a teacher small enough to be built here."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the training needs torch: pip install '.[train]'")
pytest.importorskip("onnxruntime")

from calib.errors import NoTeacher, TrainingStopped  # noqa: E402
from calib.research.train import __main__ as training  # noqa: E402  (after the check for torch)
from calib.research.train.network import Folded, Kestrel  # noqa: E402
from calib.research.train.stages import NAMES  # noqa: E402
from tests.support import ROOT, tiny  # noqa: E402
from tests.support.training import read_log, write_training  # noqa: E402


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Pictures, and a teacher that knows brightness."""
    folder = tmp_path_factory.mktemp("world")
    write_training(folder)
    return folder


def main(arguments):
    training.run(training.parser().parse_args(arguments))


def command(world, out, *more, teacher=None, pairs=(64, 32, 32, 16, 16)):
    given = ["--images", world / "images", "--teacher", teacher or world / "tiny.toml"]
    given += ["--out", out, "--cache", world / "cache", "--shape", "tiny"]
    given += ["--batch", 8, "--ring", 64, "--held", 16, "--pairs"]
    return [*map(str, given), *map("{}={}".format, NAMES, pairs), *more]


def weights(path):
    return torch.load(path, weights_only=False)["average"]


def judged(folder, stage):
    lines = read_log(folder / "log.jsonl")
    return [line for line in lines if line.get("event") == "judged" and line["stage"] == stage]


def test_one_command_goes_from_pictures_to_a_network_the_runtime_loads(world, tmp_path):
    from runtime import load_tracker

    main(command(world, tmp_path))
    assert all(judged(tmp_path, stage) for stage in NAMES)
    assert 0 <= judged(tmp_path, "finish")[-1]["same_cell"] <= 1
    joint = torch.load(tmp_path / "joint.pt", weights_only=False)
    network = Kestrel(**joint["config"]).eval()
    network.load_state_dict(joint["average"])
    before, after = Folded(network).state_dict(), weights(tmp_path / "finish.pt")
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert "search_graph.reduce.0.weight" in changed  # stage finish trains the head alone
    assert not any("_graph.layers" in name for name in changed)
    frames, boxes = tiny.film(3)
    tracker = load_tracker(str(tmp_path / "export" / "kestrel.toml"), engine="onnxruntime")
    tracker.init(frames[0], boxes[0])
    assert np.isfinite(tracker.update(frames[1]).box).all()


def test_features_of_the_teacher_are_learnt(world, tmp_path):
    main(command(world, tmp_path, "--stages", "backbone", pairs=(960, 1, 1, 1)))
    found = [line["r2_search"] for line in judged(tmp_path, "backbone")]
    assert found[-1] > 0.3 > found[0]


@pytest.mark.slow("three trainings")
def test_a_killed_training_goes_on_to_the_very_same_weights(world, tmp_path):
    main(command(world, tmp_path / "fill", "--stages", "backbone", pairs=(8, 1, 1, 1)))
    more = ["--stages", "backbone", "--processes", "0"]  # the ring stays as it is
    arguments = command(world, tmp_path / "killed", *more, pairs=(960, 1, 1, 1))
    arguments += ["--checkpoint-seconds", "0.2"]
    started = [sys.executable, "-m", "calib.research.train", *arguments]
    process = subprocess.Popen(started, cwd=str(ROOT))
    checkpoint, limit = tmp_path / "killed" / "backbone.pt", time.monotonic() + 120
    while not checkpoint.is_file():
        assert process.poll() is None and time.monotonic() < limit
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    main(arguments)
    main(command(world, tmp_path / "whole", *more, pairs=(960, 1, 1, 1)))
    lines = read_log(tmp_path / "killed" / "log.jsonl")
    resumed = [line for line in lines if line.get("event") == "resumed"]
    assert resumed and 0 < resumed[0]["steps"] < 120
    told = [line["pairs"] for line in judged(tmp_path / "whole", "backbone")]
    assert told == sorted(set(told)) and told[-1] == 960 and len(told) == 8  # the last one once
    killed, whole = (weights(tmp_path / name / "backbone.pt") for name in ("killed", "whole"))
    assert all(torch.equal(value, whole[name]) for name, value in killed.items())


def test_a_loss_that_is_no_number_stops_and_keeps_the_checkpoint(world, tmp_path):
    more = ["--stages", "backbone", "--checkpoint-seconds", "0", "--lr", "backbone=1e30"]
    arguments = command(world, tmp_path, *more)
    with pytest.raises(TrainingStopped, match="loss of stage backbone is nan.*backbone.pt"):
        main(arguments)
    kept = torch.load(tmp_path / "backbone.pt", weights_only=False)["network"]
    assert all(torch.isfinite(value).all() for value in kept.values())


@pytest.mark.parametrize("stage", ["tune", "joint"])
def test_a_later_stage_alone_asks_for_the_earlier_ones(world, tmp_path, stage):
    said = f"stage {stage} starts from stage backbone and stage head, but"
    with pytest.raises(TrainingStopped, match=said):
        main(command(world, tmp_path, "--stages", stage))


def test_a_start_that_is_missing_or_of_another_network_is_named(world, tmp_path):
    arguments = command(world, tmp_path, "--stages", "backbone", pairs=(16, 1, 1, 1))
    with pytest.raises(TrainingStopped, match="none.pt is not there; correct --start"):
        main([*arguments, "--start", str(tmp_path / "none.pt")])
    main(arguments)
    other = command(world, tmp_path / "other", "--stages", "joint", pairs=(16, 1, 1, 16))
    other[other.index("tiny")] = "k80"
    with pytest.raises(TrainingStopped, match="backbone.pt is of another network"):
        main([*other, "--start", str(tmp_path / "backbone.pt")])


def test_stage_backbone_takes_a_backbone_that_had_another_head(world, tmp_path):
    more = ["--stages", "backbone", "--lr", "backbone=1e-9"]
    main(command(world, tmp_path / "one", *more))
    more += ["--start", f"{tmp_path}/one/backbone.pt", "--head", "24", "8", "1"]
    main(command(world, tmp_path / "two", *more))
    first, second = (weights(tmp_path / name / "backbone.pt") for name in ("one", "two"))
    name = "backbone.layers.1.weight"
    assert torch.allclose(first[name], second[name], atol=1e-5)
    assert len(second["head.exemplar.weight"]) == 24


def test_a_finished_training_is_not_run_again_and_the_log_names_seed_versions_and_commit(
    world, tmp_path
):
    for seed in ("5", "6"):
        main(command(world, tmp_path, "--stages", "backbone", "--seed", seed, pairs=(8, 1, 1, 1)))
    lines = read_log(tmp_path / "log.jsonl")
    start, again = (line for line in lines if line.get("event") == "started")
    assert (start["options"]["seed"], again["options"]["seed"]) == (5, 6)
    assert torch.__version__.startswith(start["versions"]["torch"].split("+")[0])
    assert start["git"] is None or len(start["git"]) >= 40
    assert len(judged(tmp_path, "backbone")) == 1
    assert (tmp_path / "checkpoints" / "backbone-8.pt").is_file()


def test_a_head_without_channels_is_refused(world, tmp_path):
    with pytest.raises(TrainingStopped, match="--head 0 32 3 is no head"):
        main(command(world, tmp_path, "--head", "0", "32", "3"))


@pytest.mark.parametrize("teacher", ["nanotrak_v2", "nanotrack_v2"])
def test_a_missing_teacher_is_named_with_what_to_do(world, tmp_path, teacher):
    with pytest.raises(NoTeacher, match=f"the teacher {teacher} can't be used: .*nanotrack_v2"):
        main(command(world, tmp_path, "--networks-dir", str(tmp_path), teacher=teacher))
