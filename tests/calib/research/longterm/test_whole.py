"""The time of a whole picture's search: of all windows that the grids have."""

import numpy as np
import pytest

from calib.research.longterm import whole
from runtime.networks import load_network
from runtime.search import windows
from tests.support import tiny

pytest.importorskip("onnxruntime")
SEARCHING = {"lost_below": 0.5, "doubt_below": 0.4, "look_above": 0.3, "found_above": 0.6}


def run(tmp_path, halves, *more):
    toml = tiny.write_network(tmp_path, tiny.watched(**SEARCHING))
    arguments = ["--clips", str(halves[0]), "--networks", str(toml), "--rounds", "1", *more]
    return toml, whole.main(arguments)


def test_all_windows_of_the_grids_are_searched_and_timed(tmp_path, halves, capsys, monkeypatch):
    monkeypatch.setattr(windows, "MOST", 4)
    toml, code = run(tmp_path, halves, "--size", "320x180", "--targets", "24")
    assert code == 0
    cells = capsys.readouterr().err.splitlines()[-1].split()
    network, place = load_network(toml), np.array([160.0, 90.0, 24.0, 24.0])
    grids = [windows.grid(network, place, (320, 180), factor) for factor in windows.GRIDS]
    counts = list(map(len, grids))
    passes = list(map(windows.parts, grids[1:]))
    once, everything = int(cells[2]), int(cells[5])
    assert max(passes) >= 2 and counts[0] < once < sum(counts)
    assert everything >= max(passes) * counts[0] + sum(counts[1:])
    assert 0 < float(cells[3]) < float(cells[6])


@pytest.mark.parametrize(
    "options, sentence",
    [
        (["--size", "1280"], "1280: not numbers of pixels"),
        (["--size", "0x10"], "0x10: not numbers of pixels"),
        (["--targets", "20,"], "20,: not numbers of pixels"),
    ],
)
def test_wrong_options_are_one_sentence(tmp_path, halves, capsys, options, sentence):
    assert run(tmp_path, halves, *options)[1] == 2
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert sentence in told and "Traceback" not in told
