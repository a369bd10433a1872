"""The page of public sequences: from folders of data sets and published boxes to its files."""

import csv
import json
import re

import pytest

from hotpath.calib import public, trackers
from tests.calib.test_benchmarks import write_otb, write_rows
from tests.support import blobs
from tests.support.tiny import write_network

pytest.importorskip("got10k.datasets")


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A tiny network, two sequences of DTB70, one of them seen, and another tracker's boxes."""
    monkeypatch.setattr(trackers, "PEERS", ("MIL", "TrackerVit"))
    write_network(tmp_path)
    for name in ("Car1", "Car2"):
        boxes = write_otb(tmp_path / "data" / "dtb70" / name, 6)
    write_rows(tmp_path / "data" / "dtb70" / "att" / "Car1.txt", [[1] + [0] * 10])
    (tmp_path / "data" / "dtb70" / "seen.txt").write_text("Car2\n")
    write_rows(
        tmp_path / "data" / "published" / "dtb70" / "Other" / "Car1.txt", boxes + [1, 1, 0, 0]
    )
    return tmp_path


def run(place, *more):
    options = ["--data", place / "data", "--networks", place / "tiny.toml", "--out", place / "out"]
    return public.main([str(word) for word in [*options, "--page", place / "page", *more]])


def test_the_page_shows_ours_peers_and_published_boxes_with_their_times(data, capsys):
    assert run(data, "--times") == 0
    assert "without TrackerVit: vittrack needs the file object_track" in capsys.readouterr().err
    page = (data / "page" / "public-sequences.md").read_text()
    assert "## DTB70, all: 2 sequences" in page and "## DTB70, unseen: 1 sequences" in page
    assert "| Other (1 of 2 sequences) | 1.000 |" in page
    assert page.startswith("# How does Hotpath compare") and "| ." in page
    assert re.search(r"^The AUC of tiny is (1|\.\d{2})[.\d]* on DTB70\.$", page, re.M)
    assert "| **MIL** |" in page and "all trackers in turns" in page
    with open(data / "page" / "public-sequences.csv") as file:
        rows = {(row["group"], row["tracker"]): row for row in csv.DictReader(file)}
    assert {group for group, _ in rows} == {"all", "unseen", "SV"}
    assert float(rows["all", "tiny"]["ao"]) > 0.5
    times = json.loads((data / "out" / "times.json").read_text())
    assert float(rows["all", "MIL"]["ms"]) == pytest.approx(times["ms"]["dtb70"]["MIL"], rel=1e-3)


def test_a_peer_appears_when_its_network_is_there(data, monkeypatch):
    toml = blobs.write_network(data, "vittrack")
    monkeypatch.setitem(trackers.PEER_FILES, "TrackerVit", (str(toml), {"net": "whole"}))
    assert (
        run(data, "--networks", f"{data / 'tiny.toml'}:onnxruntime", "--peers", "TrackerVit") == 0
    )
    page = (data / "page" / "public-sequences.csv").read_text()
    assert ",TrackerVit,opencv," in page and ",tiny:onnxruntime,onnxruntime," in page


def test_a_folder_without_data_sets_is_refused(tmp_path, capsys):
    assert public.main(["--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "holds none of otb100, uav123_10fps, dtb70" in capsys.readouterr().err
