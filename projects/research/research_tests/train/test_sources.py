"""Licence classes of training pictures."""

import pytest

from hotpath.calib.errors import BadImages
from hotpath_research.train.sources import CLASSES, Sources, rows
from tests.support.errors import refusal


def test_every_source_has_a_name_a_licence_and_a_class():
    entries = rows()
    assert len({entry["name"] for entry in entries}) == len(entries) > 0
    assert all(entry["class"] in CLASSES and entry["licence"] for entry in entries)
    assert all(entry["files"] for entry in entries)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("images/cal_accordion_01.jpg", "A"),
        ("images/in_n01440764_tench.webp", "R"),
        ("images2/coco_000000000139-L5.webp", "SA"),
        ("images2/coco_000000000285-L4.webp", "A"),
        ("images2/dali_cat.webp", "B"),
        ("videos2/pexels-motion.mp4", "S"),
        ("train-clips/otb-Dog", "R"),
    ],
)
def test_a_file_has_the_class_of_the_first_pattern_that_matches(tmp_path, path, found):
    assert Sources().of(tmp_path / path).licence_class == found


def test_a_file_of_unknown_origin_never_counts_as_free(tmp_path):
    sources = Sources(["A", "B", "SA", "S"])
    assert not sources.allow(tmp_path / "mine" / "cal_photo.jpg")
    assert sources.allow(tmp_path / "images" / "cal_photo.jpg")
    assert Sources().allow(tmp_path / "mine" / "cal_photo.jpg")
    with refusal(BadImages, "unknown class"):
        Sources(["A", "C"])


def test_every_free_picture_of_the_development_data_is_listed(shared):
    sources = Sources()
    missing = []
    for folder in ("images", "images2", "videos2"):
        for path in (shared / folder).iterdir():
            known = sources.of(path).licence != "not stated"
            if path.suffix in (".webp", ".jpg", ".mp4") and not known:
                missing.append(path.name)
    assert not missing
