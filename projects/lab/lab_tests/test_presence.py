"""How right the states and the presence are, as the pages have it."""

import numpy as np
import onnx
import pytest

from hotpath_lab import presence, state_metrics
from tests.support import tiny
from tests.support.clips import write_clip

pytest.importorskip("onnxruntime")


def said_of(states, presence, truth, boxes=None):
    run = {"boxes": truth if boxes is None else boxes, "states": states, "certainty": presence}
    return state_metrics.frames_of(dict(run, found=[False] * len(states)), truth)


def test_figures_are_shown_as_the_page_has_them():
    truth = np.array([[10.0 + n, 5, 20, 10] for n in range(6)])
    boxes = truth.copy()
    boxes[3:] += 500.0
    messages = ["tracked", "tracked", "unsure", "tracked", "tracked", "lost"]
    sure, found = [1, 0.95, 0.61, 0.85, 0.5, 0.8], [False, True, False, False, True, False]
    run = {"boxes": boxes, "states": messages, "certainty": sure, "found": found}
    page = state_metrics.page(
        {"clips": [state_metrics.frames_of(run, truth)]}, {"clips": 0.25}
    ).splitlines()
    assert "| `tracked` frames whose box is right | .333 [.333, .333] |" in page
    assert "| right boxes that are reported as `tracked` | .500 [.500, .500] |" in page
    assert "| wrong `tracked` frames | 2 |" in page
    assert "| wrong `tracked` frames with a presence of .8 or more | 1 |" in page
    assert "| right `tracked` frames with a presence of .8 or more | 1 |" in page
    assert "| wrong frames with a presence of .8 or more, in any state | 2 |" in page
    assert "| re-acquisitions: correct, wrong | 1, 1 |" in page
    assert "| log loss of the presence | .95 |" in page
    assert "| AUC of `track.box` | .250 |" in page
    assert "| .6 to .7 | 1 | 1.00 |" in page and "| 0 to .1 | 0 | – |" in page


def test_an_interval_is_of_whole_films():
    truth = np.array([[10.0, 5, 20, 10]] * 11)
    right = said_of(["tracked"] * 11, [0.9] * 11, truth)
    wrong = said_of(["tracked"] * 11, [0.9] * 11, truth, truth + 500.0)
    low, high = state_metrics.interval([right] * 5 + [wrong] * 5, "right_tracked")
    assert 0.1 <= low <= 0.3 and 0.7 <= high <= 0.9
    assert state_metrics.interval([right] * 10, "right_tracked") == (1.0, 1.0)


def test_the_command_tracks_and_prints_both_tables(tmp_path, capsys):
    for name in ("one", "two"):
        pictures, boxes = tiny.film(40)
        for picture in pictures[20:30]:
            picture[:] = 0
        write_clip(tmp_path / "clips" / name, pictures, boxes)
    toml = tiny.write_network(tmp_path, tiny.watched(**tiny.LOSSY))
    given = ["--clips", str(tmp_path / "clips"), "--networks", str(toml)]
    assert presence.main([*given, "--out", str(tmp_path / "out")]) == 0
    assert "| frames | 78 |" in capsys.readouterr().out

    (tmp_path / "witness").mkdir()
    other = tiny.write_network(tmp_path / "witness", tiny.watched(**tiny.LOSSY))
    for path in (tmp_path / "witness").glob("*.onnx"):  # files of another network
        model = onnx.load(str(path))
        model.doc_string = "two"
        onnx.save(model, str(path))
    both = f"{toml}+{other.rename(other.with_name('two.toml'))}"
    given[-1] = f"{both},{toml}"
    assert presence.main([*given, "--out", str(tmp_path / "out")]) == 0
    heads, _, row, *_ = capsys.readouterr().out.splitlines()
    assert heads.split(" | ")[1:] == ["tiny+two", "tiny |"]
    of_both, of_one = (cell.split(", ") for cell in row.split(" | ")[1:])
    assert int(of_both[0]) <= int(of_one[0]) and int(of_both[0]) > 30


def test_a_network_without_presence_is_named(tmp_path, capsys):
    pictures, boxes = tiny.film(4)
    write_clip(tmp_path / "clips" / "one", pictures, boxes)
    toml = tiny.write_network(tmp_path)
    given = ["--clips", str(tmp_path / "clips"), "--networks", str(toml)]
    assert presence.main(given) == 2
    assert "has no presence; leave it out" in capsys.readouterr().err
