"""A user's own boxes are learnt, and a network is written only if unseen clips of theirs gain."""

import hashlib

import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("openvino")

from hotpath.calib.errors import BadImages, TrainingStopped  # noqa: E402  (after torch)
from hotpath.runtime.networks import load_network  # noqa: E402
from hotpath_research.train import __main__ as training  # noqa: E402
from hotpath_research.train import own_clips  # noqa: E402
from hotpath_research.train.bank import build_bank  # noqa: E402
from hotpath_research.train.geometry import SEARCH, maps_of  # noqa: E402
from hotpath_research.train.loop import Log, save  # noqa: E402
from hotpath_research.train.losses import corners  # noqa: E402
from hotpath_research.train.pairs import CLIP, Drawer  # noqa: E402
from hotpath_research.train.ring import learnt_pair  # noqa: E402
from hotpath_research.train.stages import StageInputs  # noqa: E402
from hotpath_research.train.teacher import Teacher  # noqa: E402
from hotpath_research.train.unfold import unfolded  # noqa: E402
from research_tests.train.test_curves import OF_OWN_CLIPS, documented  # noqa: E402
from research_tests.training import TEACHER, read_log, write_training  # noqa: E402
from tests.support import tiny  # noqa: E402
from tests.support.clips import write_clip  # noqa: E402

WIDER = 1.5  # factor of the sides that a spoilt network gives


@pytest.mark.parametrize("box", [(100, 90, 160, 130), (-20, 3, 30, 60), (200, 240, 260, 251)])
def test_the_maps_of_a_box_give_the_box_at_their_best_cell(box):
    maps = {name: torch.tensor(np.array(value)[None]) for name, value in maps_of(box).items()}
    best = int(maps["probability"].argmax())
    found = [each.flatten()[best] * SEARCH - 0.5 for each in corners(maps["size"], maps["offset"])]
    assert np.allclose(found, box)
    offset = maps["offset"][0].flatten(1)[:, best]
    assert ((offset >= 0) & (offset < 1)).all()


def test_a_target_outside_of_the_crop_is_nowhere():
    assert not maps_of((250, 100, 290, 130))["probability"].any()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Pictures, and five annotated films of a square."""
    folder = tmp_path_factory.mktemp("own")
    write_training(folder)
    for number in range(5):
        pictures, boxes = tiny.film(12, side=40 + 6 * number)
        write_clip(folder / "clips" / f"film{'abcde'[number]}", pictures, boxes)
    return folder


def given(world, out, *more):
    words = ["--images", world / "images", "--clips", world / "clips", "--teacher", TEACHER]
    words += ["--out", out, "--cache", world / "cache", "--batch", 8, "--ring", 64, "--held", 16]
    words += ["--learn-boxes", "--judgements", 1, *more]
    return training.parser().parse_args(list(map(str, words)))


def test_half_the_pairs_have_the_teachers_maps(world, tmp_path):
    bank = build_bank(tmp_path, [world / "images"], [world / "clips"])
    teacher, drawer = Teacher(TEACHER), Drawer(bank, boxes=True)
    drawn = [drawer.pair(np.random.default_rng([1, i, 0])) for i in range(200)]
    assert 80 <= sum(pair.kind == CLIP for pair in drawn) <= 120
    for number in range(12):
        pair = drawn[number]
        learnt = learnt_pair(drawer, teacher, 1, number)
        told = teacher.learn(pair.clear_exemplar, pair.clear_search)
        wanted = maps_of(pair.box) if pair.kind == CLIP else told._asdict()
        assert all(np.allclose(learnt[name], wanted[name]) for name in ("probability", "size"))


def test_clips_that_judge_are_not_learnt_from(world, tmp_path):
    options = given(world, tmp_path, "--held-out", "filmb,filme")
    judges = [clip.name for clip in own_clips.prepared(options)]
    assert judges == ["filmb", "filme"]
    bank = build_bank(tmp_path, options.images, options.clips, left_out=judges)
    assert {name for name in bank.sources if name.startswith("film")} == {"filma", "filmc", "filmd"}


@pytest.mark.parametrize("more, left_out", [((), {"filma": [4, 7, 8]}), (("--keep-outliers",), {})])
def test_labels_beside_the_target_are_left_out(world, tmp_path, capsys, more, left_out):
    """A label that follows a wrong one is right, though its window lies beside the target."""
    pictures, boxes = tiny.film(12, side=40)
    wrong = [(5, 5, 30, 30) if n in (4, 7, 8) else box for n, box in enumerate(boxes)]
    clips = tmp_path / "clips"
    write_clip(clips / "filma", pictures, wrong)
    for name in ("filmb", "filmc", "filmd"):
        write_clip(clips / name, pictures, boxes)
    options = given(world, tmp_path / "out", "--clips", clips, *more)
    judges = own_clips.prepared(options)
    outliers = own_clips.outliers(options, judges)
    assert outliers == left_out
    named = [clip.name for clip in judges]
    bank = build_bank(tmp_path / "bank", options.images, options.clips, (), 24, named, outliers)
    assert bank.sources["filma"] == 12 - sum(map(len, left_out.values()))
    assert ("filma: 3 of 12 labels" in capsys.readouterr().err) == bool(left_out)


def test_targets_of_one_film_are_all_on_one_side(world, tmp_path):
    for name in ("x-id1", "x-id2", "y-id1", "z", "z2"):
        pictures, boxes = tiny.film(3)
        write_clip(tmp_path / "c" / name, pictures, boxes)
    options = given(world, tmp_path / "out")
    options.clips = [str(tmp_path / "c")]
    judges = {clip.name for clip in own_clips.prepared(options)}
    assert judges == {"y-id1", "z2"}


@pytest.mark.parametrize("names", ["filma", "filma,filmb,filmc,filmd,filme", "nofilm"])
def test_too_few_films_on_a_side_are_said_with_their_names(world, tmp_path, names):
    with pytest.raises(BadImages, match="film.*--held-out"):
        own_clips.prepared(given(world, tmp_path, "--held-out", names))


def test_a_checkpoint_is_no_network_to_compare_with(world, tmp_path):
    with pytest.raises(TrainingStopped, match="head.pt.*--start"):
        own_clips.prepared(given(world, tmp_path, "--start", "runs/x/head.pt"))


def spoilt(folder):
    """Kestrel with boxes that are too large; returns the path of its TOML."""
    network = load_network("kestrel")
    folder.mkdir()
    text = network.path.read_text()
    for part, path in network.locate().items():
        model = onnx.load(str(path))
        for tensor in model.graph.initializer:
            if tensor.name == "size.bias":
                values = onnx.numpy_helper.to_array(tensor) + np.float32(np.log(WIDER) * 1.2)
                tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
        data = model.SerializeToString()
        (folder / path.name).write_bytes(data)
        text = text.replace(network.file(part).sha256, hashlib.sha256(data).hexdigest())
    (folder / "spoilt.toml").write_text(text)
    return folder / "spoilt.toml"


@pytest.mark.slow("it is trained, quantised and judged; the next test has all but the writing")
def test_a_network_that_gained_is_written_with_its_numbers(world, tmp_path):
    from hotpath.runtime import load_tracker

    start, log = spoilt(tmp_path / "start"), Log(tmp_path / "log.jsonl")
    options = given(world, tmp_path, "--start", start)
    judges = own_clips.prepared(options)
    teacher = Teacher(TEACHER)
    bank = build_bank(tmp_path / "bank", options.images, options.clips)
    held = training.held_pairs(options, bank, teacher, tmp_path / "held.npz")
    network = unfolded("kestrel", StageInputs(None, held, {}, teacher, "cpu", 8))
    save(tmp_path / "head.pt", {"config": network.config, "average": network.state_dict()})

    assert own_clips.judged(options, judges, log) == 0
    (told,) = read_log(tmp_path / "log.jsonl")
    assert set(told) - {"time", "event"} == OF_OWN_CLIPS < documented("## The log")
    assert told["gain"] > told["error"] and told["clips"] == ["filmb", "filmd"]
    toml = tmp_path / "export" / "spoilt_own.toml"
    made, began = load_network(str(toml)), load_network(str(start))
    assert made.window_influence == began.window_influence
    assert made.search_lost_below == began.search_lost_below
    frames, boxes = tiny.film(3)
    tracker = load_tracker(str(toml), engine="onnxruntime")
    tracker.init(frames[0], boxes[0])
    assert np.isfinite(tracker.update(frames[1]).box).all()


def test_a_network_that_did_not_gain_is_not_written(world, tmp_path, capsys):
    more = ["--pairs", "head=16", "--lr", "head=1e-9"]
    assert training.run(given(world, tmp_path, *more)) == 1
    told = read_log(tmp_path / "log.jsonl")[-1]
    assert not told["better"] and told["gain"] <= told["error"]
    assert not list(tmp_path.rglob("*own*.toml"))
    assert "kestrel" in capsys.readouterr().err
