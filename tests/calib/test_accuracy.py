"""The tables of accuracy and of lost targets: made from clips in a folder, told as JSON."""

import json

import cv2
import pytest

from tests import accuracy, lost
from tests.support import tiny
from tests.vanish import LENGTH

pytest.importorskip("onnxruntime")


@pytest.fixture
def world(tmp_path):
    """A folder with one clip of the tiny network's film, in clips/, and the network's TOML."""
    toml = tiny.write_network(tmp_path)
    pictures, boxes = tiny.film(100)
    folder = tmp_path / "clips" / "film"
    (folder / "img").mkdir(parents=True)
    rows = ["frame,x,y,w,h"]
    for index, (picture, box) in enumerate(zip(pictures, boxes)):
        cv2.imwrite(str(folder / "img" / "{:04d}.png".format(index)), picture)
        rows.append("{},{:g},{:g},{:g},{:g}".format(index, *box))
    (folder / "boxes.csv").write_text("\n".join(rows) + "\n")
    return tmp_path, toml


def _told(world, command, *networks):
    folder, _ = world
    arguments = ["--clips", str(folder / "clips"), "--json", str(folder / "out.json"), "--network"]
    assert command(arguments + [str(name) for name in networks]) == 0
    return json.loads((folder / "out.json").read_text())


def test_one_network_is_one_object_and_several_are_a_list(world, capsys):
    _, toml = world
    one = _told(world, accuracy.main, toml)
    assert one["network"] == "tiny"
    assert set(one) == {"network", "engine", "mean", "clips"}
    assert set(one["mean"]) == {"ao", "sr50"}
    assert one["mean"]["ao"] == one["clips"]["film"]["ao"] > 0.3
    capsys.readouterr()
    two = _told(world, accuracy.main, toml, toml)
    assert [report["network"] for report in two] == ["tiny", "tiny"]
    assert two[0]["mean"]["ao"] == two[1]["mean"]["ao"] == one["mean"]["ao"]
    assert "published" in capsys.readouterr().out


def test_a_folder_without_clips_is_one_sentence(tmp_path, capsys):
    assert accuracy.main(["--clips", str(tmp_path)]) == 2
    assert "no clip with img/ and boxes.csv" in capsys.readouterr().err


def test_lost_targets_are_counted_where_they_were_made_to_go(world, capsys):
    _, toml = world
    (report,) = _told(world, lost.main, toml)
    # in each of both made clips for so many frames, and at least while it is gone
    assert report["knowing"]["all"]["frames"] >= 2 * LENGTH
    assert report["acting"]["nothing"]["reappearances"] == 2
    assert report["acting"]["nothing"]["falsely_lost"] == 0
    assert "certainty" in capsys.readouterr().out
