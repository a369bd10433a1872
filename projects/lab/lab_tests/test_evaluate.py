"""An evaluation writes its tables, does nothing twice, and tells what is broken."""

import csv
import functools
import json
import os
import resource
import shutil
import sys
import warnings
from types import SimpleNamespace

import numpy as np
import pytest

from hotpath import load_tracker
from hotpath.calib.errors import BadRun
from hotpath.runtime.networks import load_network
from hotpath.runtime.options import Options
from hotpath.video.clips import find_clips
from hotpath_lab import evaluate, maps, oracle, runs, trackers
from hotpath_lab.clip_run import run_clip
from tests import support
from tests.support.clips import write_clip
from tests.support.errors import refusal
from tests.support.needs import needs_kernels, needs_processes
from tests.support.tiny import film, write_network

pytest.importorskip("matplotlib")


@pytest.fixture
def place(tmp_path):
    """A folder with a tiny network and two clips in it."""
    write_network(tmp_path)
    pictures, boxes = film(16)
    for name, part in (("one", slice(0, 12)), ("two", slice(4, 16))):
        write_clip(tmp_path / "clips" / name, pictures[part], boxes[part])
    return tmp_path


def run(place, *more, network="tiny.toml"):
    arguments = ["--clips", str(place / "clips"), "--networks", str(place / network)]
    return evaluate.main([*arguments, "--out", str(place / "out"), *more])


def test_tables_agree_and_the_text_shows_the_authors_figures(place, capsys):
    with open(place / "tiny.toml", "a") as file:
        file.write("\n[published]\nvot2018_eao = 0.455\nmflops = 75\n")
    assert run(place) == 0
    told = capsys.readouterr().err
    assert "published: vot2018 eao 0.455" in told and "mflops" not in told
    table = json.loads((place / "out" / "evaluation.json").read_text())
    entry = table["trackers"]["tiny"]
    assert entry["mean"]["ao"] > 0.6
    assert entry["mean"]["ao"] == pytest.approx(np.mean([c["ao"] for c in entry["clips"].values()]))
    with open(place / "out" / "table.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["clip"] for row in rows] == ["one", "two", "mean"]
    assert float(rows[-1]["ao"]) == pytest.approx(entry["mean"]["ao"])
    files = [str(path) for path in (place / "out").iterdir() if path.is_file()]
    assert sorted(told.splitlines()[-1][len("wrote ") :].split(", ")) == sorted(files)
    assert str(place / "out" / "success.png") in files


def test_seen_sequences_and_the_others_have_means_of_their_own(place, capsys):
    (place / "seen.txt").write_text("one\n")
    assert run(place, "--seen", str(place / "seen.txt")) == 0
    table = json.loads((place / "out" / "evaluation.json").read_text())
    assert table["groups"] == {"all": ["one", "two"], "unseen": ["two"], "seen": ["one"]}
    told, entry = capsys.readouterr().err, table["trackers"]["tiny"]
    tables = told[told.index("mean of") :].splitlines()[:-1]
    assert max(map(len, tables)) <= 120, "a terminal's table fits it"
    for group, clip in (("unseen", "two"), ("seen", "one")):
        assert entry["groups"][group]["ao"] == entry["clips"][clip]["ao"]
        assert f"mean of 1 clip, {group}" in told


def test_what_is_finished_is_not_run_again(place):
    assert run(place, "--only", "one") == 0
    boxes = place / "out" / "boxes"
    before = {path: path.stat().st_mtime_ns for path in boxes.rglob("*.json")}
    toml = place / "tiny.toml"
    toml.write_text('# of no boxes\nlicence = "MIT"\n' + toml.read_text())
    assert run(place) == 0
    after = {path: path.stat().st_mtime_ns for path in boxes.rglob("*.json")}
    assert len(before) == 1 and len(after) == 2
    assert all(after[path] == time for path, time in before.items())


def test_only_names_no_clip_that_was_not_asked_for(place, capsys):
    for name in ("bare", "empty"):
        folder = place / "clips" / name
        folder.mkdir()
        shutil.copy(str(place / "clips" / "one" / "img" / "0001.png"), str(folder))
    assert run(place, "--only", "one, twoo") == 2
    told = capsys.readouterr().err
    assert "no clip is called 'twoo'; did you mean two?" in told and "left out" not in told
    assert run(place, "--only", "bare") == 2
    told = capsys.readouterr().err
    assert "bare has no annotation" in told and "empty" not in told
    assert "no clip is called 'bare'; there are: one, two" in told


def test_a_changed_network_is_run_again_with_equal_boxes(place):
    needs_processes()

    def boxes(*more):
        assert run(place, *more) == 0
        paths = (place / more[-1] if more else place / "out").rglob("boxes/*/*.json")
        return {path.name: json.loads(path.read_text())["boxes"] for path in paths}

    first = boxes()
    assert boxes("--jobs", "2", "--out", str(place / "two")) == first
    toml = place / "tiny.toml"
    toml.write_text(toml.read_text().replace("size_lr = 0.3", "size_lr = 0.9"))
    assert boxes() != first


def test_a_broken_picture_costs_its_clip_alone(place, capsys):
    (place / "clips" / "one" / "img" / "0005.png").write_bytes(b"\x89PNG")
    assert run(place) == 2
    assert "frame 5 of 12" in capsys.readouterr().err
    table = json.loads((place / "out" / "evaluation.json").read_text())
    assert [clip["name"] for clip in table["clips"]] == ["two"]


def test_the_command_line_says_what_is_missing(place, capsys):
    assert run(place, "--int8-dir", str(place), network="tiny.toml:int8") == 2
    told = capsys.readouterr().err
    assert "no INT8 form" in told and "hotpath int8" in told


def test_a_clip_of_another_content_is_another_key(place):
    (spec,) = trackers.specs([str(place / "tiny.toml")], Options(threads=1))
    one, two = find_clips([place / "clips"])
    assert runs.key(spec, one) != runs.key(spec, two)


def test_a_network_on_two_engines_is_refused():
    with refusal(BadRun, "two engines"):
        trackers.specs(["kestrel:openvino:onnxruntime"], Options())


def test_an_fpga_holds_one_network():
    with refusal(BadRun, "one network"):
        trackers.specs(["kestrel_small+kestrel:fpga"], Options())


def test_each_example_of_the_help_is_one_whole_command(capsys):
    with pytest.raises(SystemExit):
        evaluate.parser().parse_args(["--help"])
    examples = [line for line in capsys.readouterr().out.splitlines() if "    hotpath " in line]
    assert examples
    for example in examples:
        options = evaluate.parser().parse_args(example.split()[2:])
        if options.benchmark != "public":  # whose networks are those of README
            trackers.specs(options.networks.split(","), Options())  # any OpenCV has these peers
        assert "  " not in example.strip() and len(example) < 100


def test_an_oracle_of_half_a_box_shows_which_half_fails(tmp_path):
    """The target grows, and the network can not see it: only the true size helps."""
    write_network(tmp_path)
    pictures, boxes = film(12)
    grown = [(x, y, w * 1.08**n, h * 1.08**n) for n, (x, y, w, h) in enumerate(boxes)]
    write_clip(tmp_path / "clips" / "one", pictures, grown)
    names = [f"{tmp_path}/tiny.toml{way}" for way in (":norecover", ":truesize", ":trueplace")]
    arguments = ["--clips", str(tmp_path / "clips"), "--networks", ",".join(names)]
    assert evaluate.main([*arguments, "--out", str(tmp_path / "out")]) == 0
    table = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    alone, size, place = (entry["mean"]["ao"] for entry in table["trackers"].values())
    assert size > alone + 0.05 and size > place
    for way in ("truesize", "trueplace"):
        (path,) = (tmp_path / "out" / "boxes").glob(f"tiny:{way}-*/one.json")
        found = np.array(json.loads(path.read_text())["boxes"])
        sides = found[:, 2:] if way == "truesize" else found[:, :2] + found[:, 2:] / 2
        truth = np.array(grown)
        wanted = truth[:, 2:] if way == "truesize" else truth[:, :2] + truth[:, 2:] / 2
        np.testing.assert_allclose(sides, wanted, atol=1e-3)
    assert evaluate.main([*arguments[:3], f"{names[1]}:trueplace"]) == 2


def test_score_maps_are_a_picture_a_frame_and_change_no_box(place):
    assert run(place) == 0
    alone = (place / "out" / "table.csv").read_text().splitlines()[0]
    assert run(place, "--save-maps", str(place / "maps")) == 0
    assert (place / "out" / "table.csv").read_text().splitlines()[0] == alone
    pictures = sorted((place / "maps" / "tiny" / "one").iterdir())
    assert [path.name for path in pictures] == [f"{n:06d}.jpg" for n in range(1, 12)]
    (clip,) = (c for c in find_clips([str(place / "clips")]) if c.name == "one")
    tracker = load_tracker(str(place / "tiny.toml"))
    tracker.init(clip[0], clip.boxes[0])
    for index in range(1, 8):
        (request,) = tracker.target.requests(clip[index], clip[index].shape)
        (result,), _ = tracker.device.run(clip[index], [request._replace(prior=None)])
        area, scores = maps.score_map(tracker.network, result)
        row, column = np.unravel_index(scores.argmax(), scores.shape)
        x, y, w, h = clip.boxes[index]
        cell = area.w / len(scores), area.h / len(scores)
        assert abs(area.x + (column + 0.5) * cell[0] - x - w / 2) < 1.5 * cell[0]
        assert abs(area.y + (row + 0.5) * cell[1] - y - h / 2) < 1.5 * cell[1]
        tracker.update(clip[index])


def test_an_oracle_of_the_choice_takes_the_peak_of_the_truth():
    """Of two peaks the network prefers the wrong one; where nothing is annotated, it decides."""
    places = [np.array([20.0, 20, 10, 10]), np.array([60.0, 60, 10, 10])]  # cx, cy, w, h
    result = SimpleNamespace(scores=[0.9, 0.6], states=places)
    classifier = SimpleNamespace(appearance=lambda result: np.array([0.8, 0.1]))
    target = SimpleNamespace(guard=SimpleNamespace(classifier=classifier))
    tracker = SimpleNamespace(target=target, network=load_network("kestrel"))
    truth = [(55, 55, 10, 10), (56, 56, 10, 10), (np.nan,) * 4]
    judge = oracle.Oracle(tracker, truth, oracle.CHOICE)
    for index, chosen in enumerate([(1, 0.1), (1, 0.1), (0, 0.8)]):
        judge._index = index
        assert tracker.target.guard.choose(result) == chosen


def test_the_boxes_of_a_benchmark_are_doubted_without_a_word():
    needs_kernels()
    pictures, _ = film(2)

    class Clip(list):
        boxes = [(50, 50, 1.5, 1.5)] * 2

    with load_tracker(precision="fp32") as tracker, warnings.catch_warnings(record=True) as result:
        warnings.simplefilter("always")
        assert len(run_clip(tracker, Clip(pictures))["boxes"]) == 2
        assert tracker.doubt and not result


def test_a_clip_that_is_begun_several_times_counts_once(place, capsys):
    assert run(place, "--starts", "3") == 0
    kept = sorted(path.stem for path in (place / "out/boxes").rglob("one*.json"))
    assert kept == ["one", "one@4", "one@8"]
    mean = [len(json.loads(p.read_text())["boxes"]) for p in (place / "out/boxes").rglob("one*")]
    assert sorted(mean) == [4, 8, 12]
    table = json.loads((place / "out" / "evaluation.json").read_text())
    entry = table["trackers"]["tiny"]
    assert sorted(entry["clips"]) == ["one", "two"] and entry["mean"]["clips"] == 2
    several = entry["clips"]["one"]["ao"]
    assert run(place, "--starts", "1") == 0
    table = json.loads((place / "out" / "evaluation.json").read_text())
    once = table["trackers"]["tiny"]["clips"]["one"]["ao"]
    assert several != once
    assert run(place, "--starts", "0") == 2
    assert "--starts 0 begins nowhere" in capsys.readouterr().err


def test_a_limit_of_file_sizes_is_told_and_keeps_the_tables(place):
    assert run(place) == 0
    before = (place / "out" / "table.csv").read_bytes()
    words = ["--clips", place / "clips", "--networks", place / "tiny.toml", "--out", place / "out"]
    limits = functools.partial(resource.setrlimit, resource.RLIMIT_FSIZE, (500, 500))
    program = [sys.executable, "-m", "hotpath", "evaluate", *words]
    done = support.run(program, preexec_fn=limits, cwd=str(support.ROOT))
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("hotpath evaluate: File too large")
    assert (place / "out" / "table.csv").read_bytes() == before


def test_a_tracker_of_opencv_says_nothing_by_itself(networks_dir, capfd):
    """OpenCV 5 warns of a setting that nobody made, whenever one of its trackers is made."""
    (spec,) = trackers.specs(["TrackerNano"], Options(networks_dir=networks_dir))
    peer = trackers.build(spec)
    frame = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
    peer.init(frame, np.array([50.0, 50, 40, 40]))
    assert peer.update(frame).box is not None
    assert capfd.readouterr().err == ""


def test_a_peer_that_reports_a_loss_claims_nothing(networks_dir):
    """OpenCV's TrackerVit returns False below its threshold."""
    (spec,) = trackers.specs(["TrackerVit"], Options(networks_dir=networks_dir))
    peer = trackers.build(spec)
    frame = np.random.RandomState(0).randint(0, 255, (240, 320, 3), np.uint8)
    peer.init(frame, np.array([50.0, 50, 40, 40]))
    track = peer.update(np.zeros_like(frame))
    assert track.score < 0.2 and (track.lost, track.state) == (True, "lost")
    assert tuple(track.box) == (50, 50, 40, 40)


def test_a_clip_whose_name_is_no_utf_8_is_in_the_table(place):
    (place / "clips" / "one").rename(place / "clips" / os.fsdecode(b"one-\xff"))
    assert run(place) == 0
    assert "one-?" in (place / "out" / "table.csv").read_text(encoding="utf-8")
