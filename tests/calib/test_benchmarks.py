"""Public data sets in their own layout: small trees of each, and real sequences among them."""

import json

import cv2
import numpy as np
import pytest

from hotpath.calib import benchmarks, evaluate
from tests.support.tiny import film, write_network

pytest.importorskip("matplotlib")
datasets = pytest.importorskip("got10k.datasets")


@pytest.fixture(scope="module")
def toml(tmp_path_factory):
    return write_network(tmp_path_factory.mktemp("network"))


def write_frames(folder, count, pattern="{:04d}.jpg", first=1):
    """Write ``count`` frames of the film; returns their 0-based boxes."""
    folder.mkdir(parents=True)
    pictures, boxes = film(count)
    for number, picture in enumerate(pictures, first):
        cv2.imwrite(str(folder / pattern.format(number)), picture)
    return np.array(boxes)


def write_rows(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(",".join(f"{v:g}" for v in row) + "\n" for row in rows))


def run(tmp_path, toml, data, *more):
    given = ["--benchmark", "otb50", "--data", data, "--networks", toml, "--out", tmp_path / "out"]
    return evaluate.main([str(word) for word in (*given, *more)])


def write_otb(folder, count, name="groundtruth_rect.txt", more=0):
    """A sequence of OTB or DTB70 with ``more`` boxes than frames; returns its 0-based boxes."""
    boxes = write_frames(folder / "img", count)
    rows = np.concatenate([boxes, boxes[:more]]) + [1, 1, 0, 0]
    write_rows(folder / name, rows)
    return boxes


def test_a_damaged_sequence_is_named_and_the_others_are_evaluated(tmp_path, toml, capsys):
    data = tmp_path / "otb"
    write_otb(data / "Biker", 8)
    rows = data / "Biker" / "groundtruth_rect.txt"
    rows.write_text("\ufeff" + rows.read_text().replace(",", "\t"))
    (data / "Biker" / "img" / "cover.jpg").write_bytes(b"of no frame")
    write_otb(data / "Bird1", 8, more=3)
    write_otb(data / "Bolt", 8)
    (data / "Bolt" / "groundtruth_rect.txt").write_bytes(b"\x89PNG\0\xff")
    (data / "Box" / "img").mkdir(parents=True)
    write_otb(data / "Car1", 8)
    (data / "Car1" / "img" / "0003.jpg").write_bytes(b"no picture")
    assert run(tmp_path, toml, data) == 0
    told = capsys.readouterr().err
    assert "2 of the 50 sequences of otb50" in told
    assert "left out Bird1: 11 boxes for 8 frames" in told
    assert "left out Bolt: " in told and "groundtruth_rect.txt" in told
    assert "left out Box: it has frames but no" in told
    assert "Car1: broke at frame 2 of 8" in told
    found = json.loads((tmp_path / "out" / "otb50" / "evaluation.json").read_text())
    mean = found["trackers"]["tiny"]["mean"]
    assert mean["clips"] == 1 and mean["success"] > 0.6


def test_a_data_set_without_a_whole_sequence_and_wrong_options_are_refused(tmp_path, toml, capsys):
    data = tmp_path / "otb"
    write_otb(data / "Bird1", 8, more=3)
    for given, said in (
        ([data], "no sequence of otb50 that can be used; left out Bird1"),
        ([tmp_path], f"used; its first would be {tmp_path / 'Basketball'}"),
        ([data, "--clips", "DIR"], "--clips DIR, or --benchmark NAME --data DIR"),
    ):
        assert run(tmp_path, toml, *given) == 2
        told = capsys.readouterr().err.strip().splitlines()
        assert len(told) == 1 and said in told[0]
    write_otb(data / "Biker", 8)
    assert run(tmp_path, toml, data, "--seen", "none.txt") == 2
    assert "none.txt: no such file; name another, with a sequence a line" in capsys.readouterr().err


def test_sequences_of_two_targets_and_parts_of_sequences_count_as_in_otb(tmp_path):
    data = tmp_path / "otb"
    boxes = write_frames(data / "Jogging" / "img", 5)
    for target in (1, 2):
        write_rows(data / "Jogging" / f"groundtruth_rect.{target}.txt", boxes + [1, 1, 0, 0])
    write_frames(data / "David" / "img", 10, first=295)
    write_rows(data / "David" / "groundtruth_rect.txt", boxes + [1, 1, 0, 0])
    found = benchmarks.sequences("otb100", data)
    assert [clip.name for clip in found.clips] == ["David", "Jogging.1", "Jogging.2"]
    assert len(found.names) == 100
    assert found.clips[0].first_number == 300
    np.testing.assert_allclose(found.clips[1].boxes, boxes, atol=1e-3)


def test_uav123_takes_absent_frames_and_the_part_of_a_film(tmp_path):
    data = tmp_path / "uav"
    boxes = write_frames(data / "data_seq" / "UAV123" / "uav6", 109, "{:06d}.jpg")
    boxes[50:60] = np.nan  # absent
    write_rows(data / "anno" / "UAV123" / "uav6.txt", boxes + [1, 1, 0, 0])
    (clip,) = benchmarks.sequences("uav123", data).clips
    np.testing.assert_allclose(clip.boxes, boxes, atol=1e-3)


def test_uav123_10fps_has_every_third_frame_and_its_attributes(tmp_path):
    data = tmp_path / "uav"  # wakeboard7: frames 1 to 199 at 30 FPS
    anno = data / "anno" / "UAV123_10fps"
    boxes = write_frames(data / "data_seq" / "UAV123_10fps" / "wakeboard7", 67, "{:06d}.jpg")
    write_rows(anno / "wakeboard7.txt", boxes + [1, 1, 0, 0])
    write_rows(anno / "att" / "wakeboard7.txt", [[0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]])
    write_frames(data / "data_seq" / "UAV123_10fps" / "uav6", 12, "{:06d}.jpg")
    write_rows(anno / "uav6.txt", boxes[:12] + [1, 1, 0, 0])
    found = benchmarks.sequences("uav123_10fps", data)
    assert [len(clip) for clip in found.clips] == [67]
    assert found.groups == {"ARC": ["wakeboard7"], "SOB": ["wakeboard7"]}
    assert found.left_out[0].startswith("left out uav6: 12 of its 37 frames (1 to 37) are in")


def test_dtb70_and_lasot_are_read_in_their_layouts(tmp_path):
    write_otb(tmp_path / "dtb70" / "Car1", 5)
    assert [c.name for c in benchmarks.sequences("dtb70", tmp_path / "dtb70").clips] == ["Car1"]
    write_otb(tmp_path / "lasot" / "car" / "car-2", 5, "groundtruth.txt")
    found = benchmarks.sequences("lasot", tmp_path / "lasot")
    assert [clip.name for clip in found.clips] == ["car-2"] and len(found.names) == 280
