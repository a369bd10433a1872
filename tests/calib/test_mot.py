"""MOT figures of cases with a known answer, and of results that the runtime wrote."""

import pytest

from calib import mot
from runtime.video.results import Results

pytest.importorskip("trackeval", reason="needs trackeval")


def truth(frames=20):
    """Two objects that walk side by side."""
    return {
        frame: {1: (frame, 10.0, 20.0, 40.0), 2: (frame + 50.0, 10.0, 20.0, 40.0)}
        for frame in range(1, frames + 1)
    }


def test_perfect_results_have_perfect_figures():
    found = mot.figures(truth(), truth())
    assert found["HOTA"] == found["MOTA"] == found["IDF1"] == pytest.approx(1.0)
    assert found["switches"] == 0 and found["targets"] == 2


def test_swapped_identities_are_switches():
    results = {
        frame: row if frame <= 10 else {1: row[2], 2: row[1]} for frame, row in truth().items()
    }
    found = mot.figures(truth(), results)
    assert found["switches"] == 2 and found["IDF1"] == pytest.approx(0.5)
    assert found["MOTA"] == pytest.approx(1 - 2 / 40)


def test_missed_and_false_boxes_count():
    results = {frame: {1: row[1], 7: (500.0, 500, 20, 40)} for frame, row in truth().items()}
    found = mot.figures(truth(), results)
    assert found["recall"] == found["precision"] == pytest.approx(0.5)
    assert found["MOTA"] == pytest.approx(0.0)


def test_results_of_the_runtime_are_read(tmp_path, capsys):
    path, ours = tmp_path / "gt.txt", tmp_path / "results.txt"
    columns = ("frame", "time_s", "x", "y", "w", "h", "score", "target", "lost")
    for file in (path, ours):
        with Results(file, columns) as results:
            for frame, row in truth(5).items():
                for target, box in row.items():
                    results.write((frame - 1, None, *box, 0.9, target - 1, False))
    assert mot.main(["--truth", str(path), "--results", str(ours)]) == 0
    assert "1.000" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["1,2,3\n", "a,b,c,d,e,f\n"])
def test_a_file_that_is_none_is_one_sentence(tmp_path, capsys, text):
    (tmp_path / "gt.txt").write_text(text)
    for file in ("gt.txt", "missing.txt"):
        path = str(tmp_path / file)
        assert mot.main(["--truth", path, "--results", path]) == 2
        told = capsys.readouterr().err.strip()
        assert told.startswith("calib.mot: ") and "\n" not in told
