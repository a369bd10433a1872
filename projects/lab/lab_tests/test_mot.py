"""Figures of several targets, by TrackEval, from files of MOTChallenge."""

import pytest

from hotpath.calib.errors import BadRun
from hotpath_lab import mot

PARTS = ("1.7,1,0,0,5,5\n", "1,1.5,0,0,5,5\n", "inf,1,0,0,5,5\n")  # frames, targets


def write(path, rows):
    path.write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
    return path


def walk(first, second, frames=10):
    """Two targets that go side by side, under these numbers."""
    for frame in range(1, frames + 1):
        yield frame, first, 10 + frame, 10, 20, 20, 1, -1, -1, -1
        yield frame, second, 10 + frame, 100, 20, 20, 1, -1, -1, -1


def test_a_perfect_run_has_the_best_figures_and_a_switch_costs(tmp_path, capsys):
    pytest.importorskip("trackeval")
    truth = write(tmp_path / "truth.txt", walk(1, 2))
    same = write(tmp_path / "same.txt", walk(7, 9))  # numbers mean nothing
    rows = list(walk(1, 2))
    half = [(f, 3 - t if f > 5 else t, *more) for f, t, *more in rows]
    switched = write(tmp_path / "switched.txt", half)
    lost = write(tmp_path / "lost.txt", [row for row in rows if row[1] == 1])
    assert mot.main([str(path) for path in (truth, same, switched, lost)]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    table = {row[0].split("/")[-1]: dict(zip(mot.NAMES, map(float, row[1:]))) for row in lines[1:]}
    assert all(table["same.txt"][name] == 1 for name in mot.NAMES[:-1])
    assert table["switched.txt"]["IDSW"] == 2 and table["switched.txt"]["MOTA"] == 0.9
    assert table["switched.txt"]["IDF1"] == 0.5 > table["switched.txt"]["AssA"]
    assert table["lost.txt"]["MOTA"] == 0.5 and table["lost.txt"]["IDSW"] == 0


def test_rows_that_do_not_count_and_wrong_files(tmp_path):
    rows = write(tmp_path / "t.txt", [(1, 1, 0, 0, 5, 5, 0), (1, 2, 9, 9, 5, 5, 1)])
    assert mot.read(rows, is_truth=True) == {1: {2: [9, 9, 5, 5]}}
    assert mot.read(rows) == {1: {1: [0, 0, 5, 5], 2: [9, 9, 5, 5]}}
    for text in ("1,1,2,3\n", "frame,target,x,y,w,h\n", "", "1,1,0,0,5,5\n1,1,9,9,5,5\n", *PARTS):
        with pytest.raises(BadRun):
            mot.read(write_text(tmp_path / "bad.txt", text))
    with pytest.raises(BadRun):
        mot.read(tmp_path / "none.txt")


@pytest.mark.parametrize(
    "number, sentence",
    [
        (lambda frame: frame - 1, "of frame 0; MOTChallenge counts frames from 1"),
        (lambda frame: frame + 500, "only 0 of its frames"),
        (lambda frame: 1 - frame, "of frame 0"),
    ],
)
def test_frames_that_are_not_the_truth_s_are_refused(tmp_path, capsys, number, sentence):
    truth = write(tmp_path / "truth.txt", walk(1, 2))
    rows = [(number(frame), *more) for frame, *more in walk(1, 2)]
    for order in ([truth, write(tmp_path / "a.txt", rows)], [tmp_path / "a.txt", truth]):
        assert mot.main([str(path) for path in order]) == 2
        assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    "form, change",
    [
        ("x1,y1,x2,y2", lambda x, y, w, h: (x, y, x + w, y + h)),
        ("centre", lambda x, y, w, h: (x + w / 2, y + h / 2, w, h)),
        (None, lambda x, y, w, h: (x + 6, y, w, h)),
    ],
)
@pytest.mark.parametrize("targets", [(1, 2), (2,)])
def test_boxes_of_another_form_are_refused(tmp_path, form, change, targets):
    truth = write(tmp_path / "truth.txt", walk(1, 2))
    rows = [(f, t, *change(*box[:4])) for f, t, *box in walk(1, 2) if t in targets]
    results = write(tmp_path / "results.txt", rows)
    if form is None:
        mot._check_form(mot.read(truth), mot.read(results), results)
        return
    assert mot.main([str(truth), str(results)]) == 2
    with pytest.raises(BadRun, match=form):
        mot._check_form(mot.read(truth), mot.read(results), results)


def test_results_of_few_of_the_frames_are_said(tmp_path, capsys):
    pytest.importorskip("trackeval")
    truth = write(tmp_path / "truth.txt", walk(1, 2))
    rows = [(3 * frame, *more) for frame, *more in walk(1, 2)]
    assert mot.main([str(truth), str(write(tmp_path / "thirds.txt", rows))]) == 0
    told = capsys.readouterr()
    assert "only 3 of its frames are frames of the truth" in told.out + told.err


def write_text(path, text):
    path.write_text(text)
    return path
