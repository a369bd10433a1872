"""The command that describes negatives, on pictures made here."""

import csv

import cv2
import numpy as np
import pytest

from hotpath.runtime.identity.learner.negatives import read
from hotpath.runtime.networks import load_network
from hotpath_lab import negatives
from tests.support import tiny

COUNT = 24


@pytest.fixture
def pictures(tmp_path):
    """A folder of pictures, and a list of an object in each."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    random = np.random.RandomState(5)
    with open(str(tmp_path / "list.csv"), "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "frame", "x", "y", "w", "h", "licence", "source"])
        for number in range(COUNT):
            name = "%02d.png" % number
            cv2.imwrite(str(folder / name), random.randint(0, 255, (90, 120, 3), np.uint8))
            rows.writerow([name, 0, 40, 30, 30 + number, 30, "CC0 1.0", "a test"])
    few = (tmp_path / "list.csv").read_text().splitlines()[:5]
    (tmp_path / "few.csv").write_text("\n".join(few))
    return folder


def run(toml, *more):
    return negatives.main(["--network", str(toml), *map(str, more)])


def test_the_file_is_named_in_the_toml_and_a_tracker_takes_it(tmp_path, pictures, capsys):
    toml = tiny.write_network(tmp_path, tiny.watched(**tiny.LOSSY))
    assert run(toml, "--pictures", pictures, "--list", tmp_path / "list.csv") == 0
    network = load_network(toml)
    path = network.locate_made(network.negatives)
    assert path == tmp_path / "tiny-negatives.npz" and f"wrote {COUNT} negatives" in (
        capsys.readouterr().err
    )
    objects = read(str(path))
    for numbers in objects:
        assert len(numbers) == COUNT and np.ptp(numbers, axis=0).max() > 0  # each differs


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        ((), "name where the objects are"),
        (("--pictures", "{0}", "--list", "{0}"), "directory"),
        (("--pictures", "{1}", "--list", "{1}/list.csv"), "is in none of the folders"),
        (("--pictures", "{0}", "--list", "{1}/tiny.toml"), "not a list of objects"),
        (("--pictures", "{0}", "--list", "{1}/few.csv"), "too few"),
    ],
)
def test_a_mistake_is_a_sentence(tmp_path, pictures, capsys, arguments, sentence):
    toml = tiny.write_network(tmp_path, tiny.watched(**tiny.LOSSY))
    assert run(toml, *(text.format(pictures, tmp_path) for text in arguments)) == 2
    messages = capsys.readouterr().err
    assert sentence in messages and "Traceback" not in messages
    assert load_network(toml).negatives is None


def test_the_list_that_ships_has_only_free_licences():
    with open(str(negatives.LIST), newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 160
    assert {row["licence"] for row in rows} == {"CC BY 2.0", "CC BY 4.0", "CC0 1.0"}
    assert all(row["source"].count(":") >= 1 and float(row["w"]) > 0 for row in rows)
