"""Whole trainings, seconds long, from a few pictures and the network that ships as the teacher."""

import re
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("openvino")

from hotpath.calib.errors import NoTeacher, TrainingStopped  # noqa: E402
from hotpath_research.train import __main__ as training  # noqa: E402  (after the check for torch)
from hotpath_research.train import loop, sweep  # noqa: E402
from hotpath_research.train.stages import NAMES  # noqa: E402
from research_tests.train.test_curves import OF_OWN_CLIPS, documented  # noqa: E402
from research_tests.training import TEACHER, read_log, used_network, write_training  # noqa: E402
from tests.calib.test_one_step_overlap import write_square  # noqa: E402
from tests.support import ROOT, needs, tiny  # noqa: E402


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Pictures and videos."""
    folder = tmp_path_factory.mktemp("world")
    write_training(folder)
    return folder


def main(arguments):
    training.run(training.parser().parse_args(arguments))


def command(world, out, *more, pairs=(32, 32)):
    given = ["--images", world / "images", "--clips", world / "videos", "--teacher", TEACHER]
    given += ["--out", out, "--cache", world / "cache", "--shape", "tiny", "--head", 24, 16, 1]
    given += ["--batch", 8, "--ring", 64, "--held", 16, "--judgements", 4, "--pairs"]
    return [*map(str, given), *map("{}={}".format, NAMES, pairs), *more]


def features(world, out, *more, pairs=16):
    return command(world, out, "--stages", "features", *more, pairs=(pairs, 1))


def weights(path):
    return torch.load(path, weights_only=False)["average"]


def judged(folder, stage):
    lines = read_log(folder / "log.jsonl")
    return [line for line in lines if line.get("event") == "judged" and line["stage"] == stage]


def test_one_command_makes_a_network_that_the_runtime_loads(world, tmp_path):
    from hotpath.runtime import load_tracker

    main(command(world, tmp_path))
    assert all(judged(tmp_path, stage) for stage in NAMES)
    before, after = (weights(tmp_path / f"{stage}.pt") for stage in NAMES)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed and all(name.startswith("head.") for name in changed)  # stage head's own
    frames, boxes = tiny.film(3)
    tracker = load_tracker(str(tmp_path / "export" / f"{tmp_path.name}.toml"), engine="onnxruntime")
    tracker.init(frames[0], boxes[0])
    assert np.isfinite(tracker.update(frames[1]).box).all()


def test_a_training_has_a_folder_of_its_own(world, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments = features(world, tmp_path, pairs=8)
    place = arguments.index("--out")
    main(arguments[:place] + arguments[place + 2 :])
    (run,) = (tmp_path / "out" / "train").iterdir()
    assert re.fullmatch(r"tiny-\d{8}-\d{6}", run.name) and (run / "features.pt").is_file()
    assert f"add --out out/train/{run.name}" in capsys.readouterr().out


def test_features_of_the_teacher_are_learnt(world, tmp_path):
    main(features(world, tmp_path, pairs=640))
    found = [line["r2_search"] for line in judged(tmp_path, "features")]
    assert found[-1] > found[0] + 0.05, found


@pytest.mark.skipif(bool(needs.why_no_module("timm")), reason=needs.why_no_module("timm"))
@pytest.mark.slow("it trains a whole backbone of timm")
def test_a_backbone_of_timm_learns_the_features_of_the_teacher(world, tmp_path):
    more = ["--no-pretrained", "--shape", "timm:test_byobnet"]
    main(features(world, tmp_path, *more, pairs=640))
    found = [line["r2_search"] for line in judged(tmp_path, "features")]
    assert found[-1] > found[0], found


@pytest.mark.skipif(bool(needs.why_no_module("timm")), reason=needs.why_no_module("timm"))
def test_unfetchable_weights_are_told_with_what_to_do(world, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(TrainingStopped, match="--start.*--no-pretrained"):
        main(features(world, tmp_path, "--shape", "timm:test_byobnet"))


def test_a_frozen_part_stays_until_its_pairs_are_over(world, tmp_path):
    main(features(world, tmp_path / "begin", pairs=8))
    start = ["--start", str(tmp_path / "begin" / "features.pt"), "--lr", "features=0.05"]
    moved = {}
    for name, pairs in (("whole", 16), ("half", 8), ("never", 0)):
        main(features(world, tmp_path / name, *start, "--freeze", f"backbone={pairs}", pairs=16))
        kept = torch.load(tmp_path / name / "features.pt", weights_only=True)["network"]
        began = weights(tmp_path / "begin" / "features.pt")
        moved[name] = {key for key, value in kept.items() if not torch.equal(value, began[key])}
    assert {key.split(".")[1] for key in moved["whole"]} == {"project"}
    for name in ("half", "never"):
        assert any(key.endswith("running_mean") for key in moved[name])


def test_parts_have_rates_of_their_own(world, tmp_path):
    rates = []

    def spy(runner):
        step(runner)
        groups = [group for each in runner.optimisers for group in each.param_groups]
        rates.append({group["part"]: group["lr"] for group in groups})

    step, loop.StageRunner._step = loop.StageRunner._step, spy
    try:
        more = ["--lr", "backbone=0.001", "features=0.004"]
        main(features(world, tmp_path, *more, pairs=8))
    finally:
        loop.StageRunner._step = step
    whole = 0.004 / loop.WARM_UP
    assert rates[0]["project"] == pytest.approx(whole, rel=0.01)
    assert rates[0]["backbone"] == pytest.approx(whole / 4, rel=0.01)


@pytest.mark.slow("PyTorch compiles both parts")
def test_a_compiled_network_learns_the_same(world, tmp_path):
    for name, more in (("plain", []), ("compiled", ["--compile"])):
        main(features(world, tmp_path / name, "--processes", "1", *more, pairs=16))
    first, second = (weights(tmp_path / name / "features.pt") for name in ("plain", "compiled"))
    assert first.keys() == second.keys()


@pytest.mark.slow("three trainings")
def test_a_killed_training_goes_on_to_the_very_same_weights(world, tmp_path):
    main(features(world, tmp_path / "fill", pairs=8))
    more = ["--reuse", "1e9", "--checkpoint-seconds", "0.2"]  # the ring stays as it is
    arguments = features(world, tmp_path / "killed", *more, pairs=640)
    started = [sys.executable, "-m", "hotpath_research.train", *arguments]
    process = subprocess.Popen(started, cwd=str(ROOT))
    checkpoint, limit = tmp_path / "killed" / "features.pt", time.monotonic() + 120
    while not checkpoint.is_file():
        assert process.poll() is None and time.monotonic() < limit
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    main(arguments)
    main(features(world, tmp_path / "whole", *more, pairs=640))
    lines = read_log(tmp_path / "killed" / "log.jsonl")
    resumed = [line for line in lines if line.get("event") == "resumed"]
    assert resumed and 0 < resumed[0]["steps"] < 80
    told = [line["pairs"] for line in judged(tmp_path / "whole", "features")]
    assert told == sorted(set(told)) and told[-1] == 640 and len(told) == 4  # the last one once
    killed, whole = (weights(tmp_path / name / "features.pt") for name in ("killed", "whole"))
    assert all(torch.equal(value, whole[name]) for name, value in killed.items())


def test_a_loss_that_is_no_number_stops_and_keeps_the_checkpoint(world, tmp_path):
    arguments = features(world, tmp_path, "--checkpoint-seconds", "0", "--lr", "features=1e30")
    with pytest.raises(TrainingStopped, match="nan.*features.pt"):
        main(arguments)
    kept = torch.load(tmp_path / "features.pt", weights_only=False)["network"]
    assert all(torch.isfinite(value).all() for value in kept.values())


def test_a_start_that_is_missing_or_of_another_network_is_named(world, tmp_path):
    arguments = features(world, tmp_path)
    with pytest.raises(TrainingStopped, match="none.pt.*--start"):
        main([*arguments, "--start", str(tmp_path / "none.pt")])
    main(arguments)
    other = command(world, tmp_path / "other", "--stages", "head")
    other[other.index("tiny")] = "four"
    with pytest.raises(TrainingStopped, match="features.pt.*another"):
        main([*other, "--start", str(tmp_path / "features.pt")])


def test_stage_features_takes_a_backbone_that_had_another_head(world, tmp_path):
    more = ["--lr", "features=1e-9"]
    main(features(world, tmp_path / "one", *more))
    more += ["--start", f"{tmp_path}/one/features.pt", "--head", "32", "8", "1"]
    main(features(world, tmp_path / "two", *more))
    first, second = (weights(tmp_path / name / "features.pt") for name in ("one", "two"))
    name = "backbone.layers.1.weight"
    assert torch.allclose(first[name], second[name], atol=1e-5)
    assert len(second["head.exemplar.weight"]) == 32


def test_a_finished_training_is_not_run_again(world, tmp_path):
    for seed in ("5", "6"):
        main(features(world, tmp_path, "--seed", seed, pairs=8))
    lines = read_log(tmp_path / "log.jsonl")
    start, again = (line for line in lines if line.get("event") == "started")
    assert (start["options"]["seed"], again["options"]["seed"]) == (5, 6)
    assert torch.__version__.startswith(start["versions"]["torch"].split("+")[0])
    assert start["git"] is None or len(start["git"]) >= 40
    assert len(judged(tmp_path, "features")) == 1
    assert (tmp_path / "checkpoints" / "features-8.pt").is_file()


@pytest.mark.slow("two trainings; test_curves.py has a part of it")
def test_each_key_of_the_log_is_explained_and_drawn(world, tmp_path, monkeypatch):
    (tmp_path / "sets").mkdir()
    write_square(tmp_path / "sets" / "square")
    monkeypatch.setattr(loop, "LOG_STEPS", 1)
    more = ["--judgements", "1", "--validation", str(tmp_path / "sets")]
    run, start = tmp_path / "run", tmp_path / "start.pt"
    network = used_network(shape="tiny", channels=96, width=24, tower=16, depth=1)
    loop.save(start, {"config": network.config, "average": network.state_dict()})
    more += ["--start", str(start)]
    main(command(world, run, *more, "--stages", "features"))
    main(command(world, run, *more))  # goes on behind the first stage
    lines = read_log(run / "log.jsonl")
    written = {key.replace("sets", "SET") for line in lines for key in line}
    held = {key for key in written if key.removeprefix("held_") in written - {key}}
    written = written - held | {"held_KEY"}
    assert written == documented("## The log") - OF_OWN_CLIPS - {"frames"}
    told = [line for line in lines if line.get("stage") == "head" and "lr" in line]
    assert all(0 <= line[key] <= 1 for line in told for key in ("precision", "recall"))
    with pytest.raises(SystemExit) as ended:
        training.main(["--plot", str(run), str(run)])
    assert not ended.value.code
    assert cv2.imread(str(run / "curves.png")).shape[1] > 1000


MISTAKES = {  # what is given besides, the error, and its words
    "a head without channels": (["--head", "0", "32", "3"], TrainingStopped, "--head 0 32 3"),
    "stage head alone": (["--stages", "head"], TrainingStopped, "head.*backbone.*features.pt"),
    "no such teacher": (
        ["--teacher", "lightfcc", "--networks-dir", "."],
        NoTeacher,
        "the teacher lightfcc can't be used: .*lightfc",
    ),
    "a teacher of another family": (["--teacher", "TINY"], NoTeacher, "points.*centre"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_with_what_to_do(world, tmp_path, name):
    more, error, words = MISTAKES[name]
    tiny_toml = str(tiny.write_network(tmp_path))
    with pytest.raises(error, match=words):
        main(command(world, tmp_path, *[tiny_toml if word == "TINY" else word for word in more]))


@pytest.mark.parametrize("option", ["--frames", "--accumulate", "--processes"])
def test_a_count_of_nothing_is_refused(world, tmp_path, option, capsys):
    with pytest.raises(SystemExit, match="2"):
        training.main(command(world, tmp_path, option, "0"))
    assert f"{option}: '0' is not a whole number from 1" in capsys.readouterr().err


def test_several_processes_are_refused(world, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(TrainingStopped, match="without torchrun"):
        main(features(world, tmp_path))


def test_gradients_of_several_batches_make_one_step(tmp_path):
    """The step is that of one batch which holds them all."""
    torch.manual_seed(0)
    pairs = torch.randn(4, 6)

    def train(accumulate, batch):
        torch.manual_seed(1)
        network = torch.nn.Module()
        network.config, network.head = {}, torch.nn.Linear(6, 1)

        def step(network, numbers):
            number = numbers[2] if len(numbers) > 2 else 0
            part = pairs[number * batch : (number + 1) * batch]
            return {"loss": network.head(part).square().mean()}

        stage = loop.TrainingStage(
            "head", network, lambda n: n.head, step, lambda n: {}, 4, 0.1, batch
        )
        folder = tmp_path / str(accumulate)
        folder.mkdir(exist_ok=True)
        runner = loop.StageRunner(
            stage._replace(accumulate=accumulate), folder, loop.Log(folder / "log.jsonl")
        )
        runner._step()
        assert runner.pairs() == 4
        return runner.network.head.weight.grad

    assert train(1, 4).abs().min() > 1e-4
    torch.testing.assert_close(train(1, 4), train(2, 2))


def test_the_sweep_suggests_a_rate_below_one_that_breaks(world, tmp_path, capsys):
    main(command(world, tmp_path, "--find-lr", "--stages", "head", "--start", start_of(tmp_path)))
    messages = capsys.readouterr().err
    suggested = float(re.search(r"--lr head=(\S+)", messages)[1])
    assert sweep.LOWEST <= suggested < 0.5  # where a random network first learns is chance
    assert (tmp_path / "lr.png").is_file() and not (tmp_path / "head.pt").exists()
    rows = (tmp_path / "lr.csv").read_text().splitlines()
    assert rows[0] == "lr,loss" and len(rows) > 20


def start_of(folder):
    """A checkpoint to start from."""
    network = used_network(shape="tiny", width=24, tower=16, depth=1)
    path = folder / "start.pt"
    torch.save({"config": network.config, "average": network.state_dict()}, path)
    return str(path)
