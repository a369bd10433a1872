"""Public data sets in their own layout: small trees of each, and real sequences among them."""

import json

import cv2
import numpy as np
import pytest

from hotpath.runtime.errors import BadClips
from hotpath_lab import benchmarks, evaluate
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


def test_a_damaged_sequence_is_named_and_the_others_evaluated(tmp_path, toml, capsys):
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
    assert "2 of the 50" in told
    assert "Bird1: 11 boxes for 8" in told
    assert "left out Bolt: " in told and "groundtruth_rect.txt" in told
    assert "left out Box: " in told
    assert "Car1: " in told and "frame 2 of 8" in told
    found = json.loads((tmp_path / "out" / "otb50" / "evaluation.json").read_text())
    mean = found["trackers"]["tiny"]["mean"]
    assert mean["clips"] == 1 and mean["success"] > 0.6


def test_a_set_without_a_whole_sequence_is_refused(tmp_path, toml, capsys):
    data = tmp_path / "otb"
    write_otb(data / "Bird1", 8, more=3)
    for given, messages in (
        ([data], "no sequence of otb50 that can be used; left out Bird1"),
        ([tmp_path], f"used; its first would be {tmp_path / 'Basketball'}"),
        ([data, "--clips", "DIR"], "--clips DIR, or --benchmark NAME --data DIR"),
    ):
        assert run(tmp_path, toml, *given) == 2
        told = capsys.readouterr().err.strip().splitlines()
        assert len(told) == 1 and messages in told[0]
    write_otb(data / "Biker", 8)
    assert run(tmp_path, toml, data, "--seen", "none.txt") == 2
    assert "none.txt: no such file" in capsys.readouterr().err


def test_two_targets_and_parts_of_sequences_count_as_in_otb(tmp_path):
    data = tmp_path / "otb"
    boxes = write_frames(data / "Jogging" / "img", 5)
    for target in (1, 2):
        write_rows(data / "Jogging" / f"groundtruth_rect.{target}.txt", boxes + [1, 1, 0, 0])
    write_frames(data / "David" / "img", 10, first=295)
    write_rows(data / "David" / "groundtruth_rect.txt", boxes + [1, 1, 0, 0])
    found = benchmarks.sequences("otb100", data)
    assert [clip.name for clip in found.clips] == ["David", "Jogging.1", "Jogging.2"]
    assert len(found.names) == 100
    assert found.clips[0].paths[0].stem == "0300"
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
    for name, flags in (("full_occlusion", "0,0,1,0,0"), ("out_of_view", "0,0,0,0,1")):
        (tmp_path / "lasot" / "car" / "car-2" / (name + ".txt")).write_text(flags)
    found = benchmarks.sequences("lasot", tmp_path / "lasot")
    absent = np.isnan(found.clips[0].boxes[:, 0])  # LaSOT's own toolkit removes them
    assert absent.tolist() == [False, False, True, False, True]
    assert [clip.name for clip in found.clips] == ["car-2"] and len(found.names) == 280


def write_set(data, frames, truth, count=2, origin=1, first_only=False):
    """A sequence whose frames are at the pattern ``frames`` and whose boxes are in ``truth``."""
    place = data / frames
    boxes = write_frames(place.parent, count, place.name, first=int("{0:d}" not in place.name))
    write_rows(data / truth, (boxes + [origin, origin, 0, 0])[: 1 if first_only else count])
    return boxes


# set -> its folder, a sequence, the pattern of its frames, its file of boxes, the first pixel
UAVDT_FRAMES = "UAV-benchmark-S/NAME/img{:06d}.jpg"
VISDRONE = "VisDrone2019-SOT-val"
SETS = {
    "visdrone": (VISDRONE, "uav11_00_s", "sequences/NAME/img{:07d}.jpg", "annotations/NAME.txt", 1),
    "uavdt": (".", "S0101", UAVDT_FRAMES, "UAV-benchmark-SOT_v1.0/anno/NAME_gt.txt", 1),
    "uavtrack112": (".", "air conditioning box1", "data_seq/NAME/{:05d}.jpg", "anno/NAME.txt", 1),
    "lasot": ("car", "car-2", "NAME/img/{:08d}.jpg", "NAME/groundtruth.txt", 1),
    "lasot_train": ("car", "car-1", "NAME/img/{:08d}.jpg", "NAME/groundtruth.txt", 1),
    "lasot_extension": ("atv", "atv-1", "NAME/img/{:08d}.jpg", "NAME/groundtruth.txt", 1),
    "tnl2k": ("TNL2K_test", "advSamp_Ball", "NAME/imgs/{:05d}.jpg", "NAME/groundtruth.txt", 1),
    "trackingnet_train": ("TRAIN_3", "_0Zk-mZ1", "frames/NAME/{0:d}.jpg", "anno/NAME.txt", 0),
}


@pytest.mark.parametrize("name", SETS)
def test_a_sequence_of_two_frames_is_read_in_its_sets_layout(name, tmp_path):
    part, sequence, frames, truth, origin = SETS[name]
    frames, truth = (text.replace("NAME", sequence) for text in (frames, truth))
    boxes = write_set(tmp_path / part, frames, truth, origin=origin)
    (clip,) = benchmarks.sequences(name, tmp_path).clips
    assert clip.name == sequence and clip[1].shape == (240, 320, 3)
    np.testing.assert_allclose(clip.boxes, boxes, atol=1e-3)


@pytest.mark.parametrize("anno", ["UAV-benchmark-S/UAV-benchmark-SOT_v1.0/anno", "anno"])
def test_uavdt_is_read_as_people_unpack_it(anno, tmp_path):
    folder = "sequences" if anno == "anno" else "UAV-benchmark-S"
    write_set(tmp_path, folder + "/S0101/img{:06d}.jpg", anno + "/S0101_gt.txt")
    write_rows(tmp_path / anno / "att" / "S0101_att.txt", [[0, 1]])
    (tmp_path / anno / "._S0101_gt.txt").write_bytes(b"\0\5\x16\7")  # as macOS packs
    found = benchmarks.sequences("uavdt", tmp_path)
    assert [clip.name for clip in found.clips] == ["S0101"] and not found.left_out


@pytest.mark.parametrize(("fps", "step"), [(240, 1), (30, 1), (30, 8)])
def test_the_toolkit_reads_nfs_also_with_boxes_of_240_a_second(fps, step, tmp_path):
    folder = tmp_path / "biker_1" / str(fps)
    boxes = write_frames(folder / "biker_1", 2, "{:05d}.jpg")
    rows = np.repeat(boxes, step, axis=0)
    lines = [
        f'0 {x:g} {y:g} {x + w:g} {y + h:g} {i} 0 0 0 "biker"'
        for i, (x, y, w, h) in enumerate(rows)
    ]
    (folder / "biker_1.txt").write_text("\n".join(lines))
    (clip,) = benchmarks.sequences(f"nfs{fps}", tmp_path).clips
    np.testing.assert_allclose(clip.boxes, boxes, atol=1e-3)


def test_a_sequence_that_the_toolkit_refuses_is_left_out(tmp_path):
    for name, more in (("biker_1", 0), ("bird_2", 5)):
        folder = tmp_path / name / "30"
        count = len(write_frames(folder / name, 4, "{:05d}.jpg"))
        line = '0 1 2 30 40 1 0 0 0 "it"\n'
        (folder / f"{name}.txt").write_text(line * (count + more))
    found = benchmarks.sequences("nfs30", tmp_path)
    assert [clip.name for clip in found.clips] == ["biker_1"]
    assert len(found.left_out) == 1 and "bird_2" in found.left_out[0]


def test_each_object_of_an_imagenet_video_is_a_clip(tmp_path):
    name = "ILSVRC2015_val_00000001"
    write_frames(tmp_path / "Data" / "VID" / "val" / name, 3, "{:06d}.JPEG", first=0)
    (tmp_path / "Annotations" / "VID" / "val" / name).mkdir(parents=True)
    for frame in range(3):
        box = "<xmin>10</xmin><ymin>20</ymin><xmax>29</xmax><ymax>59</ymax>"
        objects = "".join(
            f"<object><trackid>{track}</trackid><bndbox>{box}</bndbox></object>"
            for track in ((0, 1) if frame else (0,))
        )
        path = tmp_path / "Annotations" / "VID" / "val" / name / f"{frame:06d}.xml"
        path.write_text(f"<annotation>{objects}</annotation>")
    one, two = benchmarks.sequences("vid", tmp_path).clips
    assert (one.name, len(one), two.name, len(two)) == (name + ".0", 3, name + ".1", 2)
    assert one.boxes[0].tolist() == [10, 20, 20, 40]


def test_a_set_of_first_boxes_gives_files_for_the_authors_server(tmp_path, toml, capsys):
    truth = "TEST/anno/ab-1.txt"
    boxes = write_set(tmp_path, "TEST/frames/ab-1/{0:d}.jpg", truth, 11, 0, first_only=True)
    given = ["--benchmark", "trackingnet", "--data", tmp_path, "--networks", toml]
    given = [str(word) for word in (*given, "--out", tmp_path / "out")]
    assert evaluate.main(given) == 2 and "--save-boxes" in capsys.readouterr().err
    assert evaluate.main([*given, "--save-boxes", str(tmp_path / "sent")]) == 0
    rows = np.loadtxt(tmp_path / "sent" / "tiny" / "ab-1.txt", delimiter=",")
    np.testing.assert_allclose(rows[0], boxes[0], atol=0.06)
    assert len(rows) == 11 and np.abs(rows[:, :2] - boxes[:, :2]).max() < 10  # 10.jpg is the last
    assert not list((tmp_path / "out").glob("**/evaluation.*"))


def test_visdrone_for_the_challenge_has_first_boxes_only(tmp_path):
    name = "uav0000011_00000_s"
    write_set(
        tmp_path, f"sequences/{name}/img{{:07d}}.jpg", f"initialization/{name}.txt", first_only=True
    )
    (clip,) = benchmarks.sequences("visdrone_challenge", tmp_path).clips
    assert len(clip) == 2 and np.isnan(clip.boxes[1]).all()
    for empty in sorted(set(benchmarks.LISTS) - {"visdrone_challenge"}):
        with pytest.raises(BadClips, match=str(tmp_path)):
            benchmarks.sequences(empty, tmp_path)
