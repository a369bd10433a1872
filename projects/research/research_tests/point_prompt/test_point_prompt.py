"""Pictures become examples of the allowed licences, and these a head that OpenCV reads."""

import csv
import json

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("openvino")

from hotpath.calib.errors import BadImages
from hotpath_research.point_prompt import __main__ as program
from hotpath_research.point_prompt import pictures
from hotpath_research.point_prompt.contrast import cut_out, tightened
from hotpath_research.point_prompt.data import Data, split
from hotpath_research.point_prompt.examples import GROUND, KINDS, SNUG
from hotpath_research.point_prompt.pictures import Picture
from hotpath_research.train.sources import Sources
from tests.support.object_scene import OBJECT, scene


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Forty annotated pictures of a source of class A, and a folder that no source lists."""
    root = tmp_path_factory.mktemp("point_prompt")
    for name in ("robocup-msl", "of-unknown-origin"):
        (root / name).mkdir()
        with open(root / name / "objects.csv", "w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(["picture", "class", "x", "y", "w", "h"])
            for number in range(40):
                cv2.imwrite(str(root / name / f"{number:03d}.jpg"), scene())
                table.writerow([f"{number:03d}.jpg", "thing", *OBJECT])
    return root


@pytest.fixture(scope="module")
def data(folder):
    words = ["prepare", "--images", folder / "robocup-msl", folder / "of-unknown-origin"]
    words += ["--examples", 120, "--out", folder / "data"]
    assert program.main([str(word) for word in words]) == 0
    return folder / "data"


def test_only_pictures_of_the_allowed_licences_are_read(data):
    origin = json.loads((data / "origin.json").read_text())
    assert origin["pictures"] == {"robocup_ml": 40} and origin["licences"] == ["A"]


def test_an_example_says_where_the_thing_is_in_its_crop(data):
    examples = Data(data)
    assert len(examples) == 120 and set(examples.kind) == set(KINDS)
    assert 0 < examples.held.sum() < 20
    ground = examples.kind == GROUND
    assert not examples.box[ground].any() and (examples.box[~ground, 2:] > 0).all()
    assert (examples.drawn[examples.kind == SNUG] != 0).any(axis=1).all()
    for number in np.flatnonzero(~ground & (examples.box[:, 2] > 0.2))[:10]:
        crop = examples.crop(int(number))
        cx, cy, w, h = (examples.box[number] + (0.5, 0.5, 0, 0)) * 256
        inside = crop[int(cy - h / 4) : int(cy + h / 4), int(cx - w / 4) : int(cx + w / 4)]
        assert inside.size == 0 or inside.std() > 3  # the thing has parts, the table has none


@pytest.mark.slow("trains and judges a head with the whole runtime")
def test_a_head_is_trained_and_judged_beside_a_fixed_network(data, folder):
    words = ["train", "--data", data, "--steps", 3, "--batch", 8, "--out", folder / "run"]
    assert program.main([str(word) for word in words]) == 0
    report = json.loads((folder / "run" / "report.json").read_text())
    assert 0 <= report["pictures"]["object_above"] <= 1
    head = cv2.dnn.readNetFromONNX(str(folder / "run" / "kestrel-point-prompt.onnx"))
    head.setInput(np.zeros((2, 102, 16, 16), np.float32))
    assert head.forward().shape == (2, 5)
    assert not (folder / "run" / "features.npy").exists()


def test_a_picture_of_coco_needs_an_open_licence_of_its_own(tmp_path):
    below = tmp_path / "coco-mini"
    below.mkdir()
    images = [{"id": n, "file_name": f"{n}.jpg", "license": n} for n in (3, 4)]
    boxes = [{"image_id": n, "bbox": list(OBJECT)} for n in (3, 4)]
    (below / "a.json").write_text(json.dumps({"images": images, "annotations": boxes}))
    for n in (3, 4):
        cv2.imwrite(str(below / f"{n}.jpg"), scene())
    found = list(pictures.read([], [], [below / "a.json"], Sources(["A"]), None))
    assert len(found) == 1 and found[0].source == "COCO" and found[0].complete


def test_pictures_of_one_film_are_on_one_side():
    def film(name, count):
        return [Picture(b"", np.zeros((0, 4)), "films", True, None, name)] * count

    films = [film(f"f/{n}.mp4", 12) for n in range(20)] + [film(f"s/{n}.jpg", 1) for n in range(20)]
    held, taught = split(sum(films, []))
    assert {p.file for p in held} == {"f/3.mp4", "s/0.jpg", "s/17.jpg"} and len(held) == 14
    assert not {p.file for p in held} & {p.file for p in taught}
    assert len(held) + len(taught) == 260
    with pytest.raises(BadImages):
        split(film("f/0.mp4", 40))


def test_a_thing_on_plain_ground_is_cut_out_with_a_tight_box():
    plain = np.full((240, 320, 3), 200, np.uint8)
    cv2.rectangle(plain, (100, 60), (219, 159), (40, 60, 30), -1)
    assert cut_out(plain).box == (100, 60, 120, 100)
    assert tightened(plain, (80, 40, 160, 140)) == (100, 60, 120, 100)
    assert cut_out(np.random.RandomState(1).randint(0, 255, (90, 90, 3)).astype(np.uint8)) is None


def test_too_few_pictures_or_no_prepared_examples_are_refused(tmp_path):
    with pytest.raises(BadImages):
        Data(tmp_path)
    assert program.main(["prepare", "--images", str(tmp_path), "--out", str(tmp_path / "o")]) == 2
