"""The processor time of a whole frame: every step is timed, and the steps are the frame."""

import os

import pytest

from hotpath.video.save import Video
from hotpath_lab import frame
from tests.support import blobs

pytest.importorskip("av")


@pytest.mark.slow("two runs of hotpath track")
def test_the_steps_of_a_run_are_its_frame(tmp_path, capsys):
    frames, boxes = blobs.film(50)
    path = str(tmp_path / "film.mp4")
    with Video(path, 30) as video:
        for picture in frames:
            video.write(picture)
    box, before = ",".join(map(str, boxes[0])), os.sched_getaffinity(0)
    given = ["--video", path, "--box", box, "--networks", "kestrel_small", "--sizes", "320x240"]
    try:
        assert frame.main([*given, "--frames", "50", "--rounds", "1"]) == 0
    finally:
        os.sched_setaffinity(0, before)
    lines = [line.strip("|").split("|") for line in capsys.readouterr().out.splitlines()]
    assert [cell.strip() for cell in lines[0][1:]] == [
        "FFmpeg alone",
        "kestrel_small",
        "kestrel_small --save",
    ]
    rows = {
        cells[0].strip(): [float(cell or 0) for cell in map(str.strip, cells[1:])]
        for cells in lines[2:]
    }
    saved = {step: values[2] for step, values in rows.items()}
    assert all(saved[step] > 0 for step in ("decode", "crop", "network", "state", "draw", "encode"))
    assert rows["draw"][1] == rows["encode"][1] == 0 < rows["encode"][0]
    steps = sum(value for step, value in saved.items() if step not in ("frame", "ours"))
    assert steps == pytest.approx(saved["frame"], abs=0.1)
    assert 0 < rows["ours"][1] < rows["frame"][1]


def test_a_step_has_its_time_without_that_of_the_steps_in_it():
    class Work:
        def outer(self):
            return self.inner()

        def inner(self):
            return sum(range(300000))

    meter = frame.Meter()
    meter.time(Work, "inner", "inner")
    meter.time(Work, "outer", "outer")
    meter.count(Work, "outer")
    for _ in range(frame.AHEAD + 5):
        Work().outer()
    ms = meter.ms()
    assert ms["outer"] < ms["inner"] / 10 and ms["inner"] <= ms["frame"]
