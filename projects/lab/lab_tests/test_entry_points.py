# ruff: noqa: E402 -- the libraries of the imports below may be missing, which is a skip
"""The commands that read clips read the same frames of the same files."""

import csv
import json

import cv2
import numpy as np
import pytest

for library in ("onnxruntime", "matplotlib", "av", "PIL"):
    pytest.importorskip(library)

from PIL import Image

from hotpath.app.track_command import main as track
from hotpath.calib import int8_command as int8
from hotpath.runtime.frames.pictures import bgr_of
from hotpath.video.clips import find_clips
from hotpath.video.sources import open_source
from hotpath_lab import evaluate
from tests.support.clips import write_boxes
from tests.support.malformed import png
from tests.support.tiny import film, write_network

av = pytest.importorskip("av")
COUNT = 24
PICTURES, BOXES = film(COUNT)


def stream(path, pictures):
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=30)
        video.width, video.height, video.pix_fmt = 320, 240, "yuv420p"
        for picture in pictures:
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(video.encode(None))


def joined(folder):
    for name, part in (("a", PICTURES[:11]), ("b", PICTURES[11:])):
        stream(folder / (name + ".part.ts"), part)
    path = folder / "film.ts"
    path.write_bytes(b"".join((folder / (n + ".part.ts")).read_bytes() for n in "ab"))
    for name in "ab":
        (folder / (name + ".part.ts")).unlink()
    return path


def thermal(folder):
    for index, picture in enumerate(PICTURES):
        deep = 51240 + 4 * picture[..., 0].astype(np.uint16)
        deep[3, 5] = 65535
        cv2.imwrite(str(folder / f"{index:03d}.png"), deep if index != 9 else deep | 65535)
    return folder


def pages(path, **how):
    first, *others = [Image.fromarray(picture[..., ::-1]) for picture in PICTURES]
    first.save(str(path), save_all=True, append_images=others, **how)
    return path


KINDS = {
    "joined": joined,
    "thermal": thermal,
    "apng": lambda folder: pages(folder / "film.png", duration=40),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a tiny network and a clip of each kind; and what ``track`` is given."""
    place = tmp_path_factory.mktemp("doors")
    write_network(place)
    named = {}
    for name, write in KINDS.items():
        folder = place / "clips" / name
        folder.mkdir(parents=True)
        write_boxes(folder / "boxes.csv", BOXES)
        named[name] = str(write(folder))
    return place, named


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_run_evaluation_and_speed_suite_read_the_same_frames(place, kind):
    folder, named = place
    with open_source(named[kind]) as source:
        frames = [bgr_of(source.read()).copy() for _ in range(COUNT)]
        assert source.read() is None
    (clip,) = find_clips([folder / "clips" / kind])
    assert len(clip) == COUNT and all(map(np.array_equal, frames, clip))
    assert tuple(clip.boxes[0]) == BOXES[0]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_run_has_a_row_for_each_frame(place, kind, tmp_path):
    folder, named = place
    x, y, w, h = BOXES[0]
    out = tmp_path / "a.csv"
    words = ["--video", named[kind], "--box", f"{x},{y},{w},{h}", "--no-show", "--results", out]
    assert track([*map(str, words), "--network", str(folder / "tiny.toml")]) == 0
    with open(out) as file:
        assert len(list(csv.DictReader(file))) == COUNT


def test_an_evaluation_and_a_calibration_take_all_kinds(place, tmp_path, capsys):
    folder, _ = place
    toml, clips = str(folder / "tiny.toml"), ["--clips", str(folder / "clips")]
    assert evaluate.main([*clips, "--networks", toml, "--out", str(tmp_path / "a")]) == 0
    table = json.loads((tmp_path / "a" / "evaluation.json").read_text())
    found = table["trackers"]["tiny"]["clips"]
    assert set(found) == set(KINDS)  # the tiny network knows colours, which a thermal film lacks
    assert all(clip["ao"] > 0.5 for name, clip in found.items() if name != "thermal"), found
    few = ["--searches", "4", "--exemplars", "2", "--out", str(tmp_path / "b")]
    assert int8.main(["--network", toml, *clips, *few]) == 0


def test_all_refuse_a_picture_that_is_too_large_in_one_sentence(place, tmp_path, capsys):
    folder, _ = place
    for name in ("one", "two"):
        clip = tmp_path / "clips" / name
        clip.mkdir(parents=True)
        for index in range(12):
            (clip / f"{index:03d}.png").write_bytes(png(30000, 30000))
        write_boxes(clip / "boxes.csv", BOXES[:12])
    toml, clips = str(folder / "tiny.toml"), ["--clips", str(tmp_path / "clips")]
    out = ["--out", str(tmp_path / "out")]
    for door, words in (
        (track, ["--video", str(clip), "--no-show", "--network", toml]),
        (evaluate.main, [*clips, "--networks", toml, *out]),
        (int8.main, [*clips, "--network", toml, *out]),
    ):
        assert door(words) != 0
        assert "megapixels" in capsys.readouterr().err, door
