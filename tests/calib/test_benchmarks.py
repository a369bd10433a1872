"""Public data sets in their own layout: small trees of each, and real sequences among them."""

import json
import pathlib
import zipfile

import cv2
import numpy as np
import pytest

from calib import benchmarks, evaluate
from tests.support.tiny import film, write_network

pytest.importorskip("matplotlib", reason="the toolkit draws plots")
datasets = pytest.importorskip("got10k.datasets")


@pytest.fixture(scope="module")
def toml(tmp_path_factory):
    """The TOML of a tiny network."""
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


def run(tmp_path, toml, name, data):
    """Run the command; returns its exit code."""
    return evaluate.main(
        ["--benchmark", name, "--data", str(data), "--networks", str(toml)]
        + ["--out", str(tmp_path / "out")]
    )


def overall(tmp_path, name):
    told = json.loads((tmp_path / "out" / name / "figures.json").read_text())
    return told["tiny"]["overall"]


def test_otb_is_followed_in_one_pass_and_not_run_again(tmp_path, toml, capsys):
    data = tmp_path / "otb"
    for name in datasets.OTB._OTB__tb50_seqs:  # the toolkit wants a folder for each sequence
        (data / name).mkdir(parents=True)
    boxes = write_frames(data / "Biker" / "img", 20)
    write_rows(data / "Biker" / "groundtruth_rect.txt", boxes + [1, 1, 0, 0])
    assert run(tmp_path, toml, "otb50", data) == 0
    assert overall(tmp_path, "otb50")["success_score"] > 0.6
    assert overall(tmp_path, "otb50")["speed_fps"] > 0
    assert "FPS" in capsys.readouterr().out
    (result,) = (tmp_path / "out" / "otb50").rglob("Biker.txt")
    before = result.stat().st_mtime_ns
    assert run(tmp_path, toml, "otb50", data) == 0
    assert result.stat().st_mtime_ns == before


def test_a_data_set_that_is_not_there_or_not_whole_is_refused_in_a_sentence(tmp_path, toml, capsys):
    (tmp_path / "otb" / "Biker").mkdir(parents=True)
    assert run(tmp_path, toml, "otb50", tmp_path / "otb") == 2
    assert "holds no sequence of otb50" in capsys.readouterr().err
    boxes = write_frames(tmp_path / "otb" / "Bird1" / "img", 8)
    write_rows(tmp_path / "otb" / "Bird1" / "groundtruth_rect.txt", boxes[:5])
    assert run(tmp_path, toml, "otb50", tmp_path / "otb") == 2
    told = capsys.readouterr().err.strip().splitlines()
    assert len(told) == 1 and "is not a whole otb50 in its own layout" in told[0]


def test_uav123_takes_absent_frames_and_counts_missing_sequences(tmp_path, toml, capsys):
    data = tmp_path / "uav"
    boxes = write_frames(data / "data_seq" / "UAV123" / "uav6", 109, "{:06d}.jpg")
    boxes[50:60] = np.nan  # absent
    write_rows(data / "anno" / "UAV123" / "uav6.txt", boxes + [1, 1, 0, 0])
    for name in ("a", "b"):  # its archive has more folders
        (data / name).mkdir()
    assert run(tmp_path, toml, "uav123", data) == 0
    assert overall(tmp_path, "uav123")["precision_score"] > 0.95
    assert "lacks 122 sequences of uav123: figures are of 1" in capsys.readouterr().err


def test_dtb70_is_a_folder_of_otb_sequences(tmp_path, toml):
    data = tmp_path / "dtb70"
    boxes = write_frames(data / "Car1" / "img", 15, "{:05d}.jpg")
    write_rows(data / "Car1" / "groundtruth_rect.txt", boxes + [1, 1, 0, 0])
    assert run(tmp_path, toml, "dtb70", data) == 0
    assert overall(tmp_path, "dtb70")["success_rate"] > 0.6


def test_lasot_is_read_by_the_list_of_its_test_set(tmp_path, toml, monkeypatch):
    folder = tmp_path / "lasot"
    boxes = write_frames(folder / "car" / "car-2" / "img", 15, "{:08d}.jpg")
    write_rows(folder / "car" / "car-2" / "groundtruth.txt", boxes + [1, 1, 0, 0])
    listed = json.loads(pathlib.Path(datasets.__file__).with_name("lasot.json").read_text())
    assert "car-2" in listed["test"] and len(listed["test"]) == 280
    read = benchmarks.LaSot(folder, ["car-2"])
    pictures, truth = read[0]
    assert len(read) == 1 and len(pictures) == len(truth) == 15
    with pytest.raises(benchmarks.BadRun, match="airplane-1"):
        benchmarks.LaSot(folder, listed["test"])


def write_got10k(data, subset):
    folder = data / subset / "GOT-10k_1"
    boxes = write_frames(folder, 12, "{:08d}.jpg")
    (data / subset / "list.txt").write_text("GOT-10k_1\n")
    write_rows(folder / "groundtruth.txt", boxes[:1] if subset == "test" else boxes)
    (folder / "meta_info.ini").write_text("[METAINFO]\nresolution: (320, 240)\n")
    for name in ("cover", "absence", "cut_by_image"):
        value = "8" if name == "cover" else "0"
        (folder / (name + ".label")).write_text("\n".join([value] * 12) + "\n")


def test_got10k_val_gives_ao_and_the_test_set_a_zip_for_its_server(tmp_path, toml):
    write_got10k(tmp_path / "got", "val")
    write_got10k(tmp_path / "got", "test")
    assert run(tmp_path, toml, "got10k-val", tmp_path / "got") == 0
    assert overall(tmp_path, "got10k-val")["ao"] > 0.6
    assert run(tmp_path, toml, "got10k-test", tmp_path / "got") == 0
    (packed,) = (tmp_path / "out" / "got10k-test").rglob("tiny.zip")
    names = zipfile.ZipFile(packed).namelist()
    assert any(name.endswith("GOT-10k_1/GOT-10k_1_001.txt") for name in names)
    assert any(name.endswith("GOT-10k_1/GOT-10k_1_time.txt") for name in names)


def test_clips_and_a_benchmark_together_are_refused(tmp_path, toml, capsys):
    arguments = ["--clips", str(tmp_path), "--benchmark", "otb50", "--networks", str(toml)]
    assert evaluate.main(arguments) == 2
    assert "--clips DIR, or --benchmark NAME --data DIR" in capsys.readouterr().err
