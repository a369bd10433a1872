"""Frames at a camera's pace come at that rate; the evidence has them beside the others."""

import json

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from runtime import load_tracker
from tests.fps import clips, evidence, place, report, run
from tests.fps.__main__ import main
from tests.fps.pace import LEARNING, PacedLoop
from tests.support import board_roots
from tests.support.tiny import write_network


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return str(write_network(tmp_path_factory.mktemp("tiny")))


@pytest.fixture(scope="module")
def film():
    return clips.film(20)


def test_paced_frames_are_the_clip_s_and_their_times_are_told(network, film):
    tracker = load_tracker(network, engine="onnxruntime")
    ms, boxes = PacedLoop(tracker, film.frames, film.box, 50, "low").run(19)
    tracker.init(film.frames[0], film.box)
    whole = [tracker.update(frame).box for frame in film.frames[1:]]
    tracker.close()
    # JPEG changes the pixels a little; a busy machine drops frames, and the tracker goes on
    assert len(boxes) == 19 and np.isfinite([box for _, box in boxes]).all()
    assert np.abs(np.subtract(boxes[0][1], whole[0])).max() < 2
    assert len(ms["total"]) == len(ms["arrival_to_box"]) == 19
    assert np.all(np.array(ms["arrival_to_box"]) >= np.array(ms["total"]) - 0.01)


def test_the_evidence_has_both_and_the_report_compares_them(network, film, tmp_path):
    board = board_roots.BoardRoot("jetson_orin_nano_jp6", tmp_path / "root")
    settings = run.Settings(
        networks=[network], clips=[film], frames=12, rounds=2, period_s=0, warm_s=0.1, pace=60
    )
    path = tmp_path / "evidence.json"
    run.measure(settings, place.Place(board.folder), path, say=lambda text: None)
    found = evidence.read(path)
    paced = found["results"][0]["paced"]
    assert paced["fps"] == 60 and paced["latency"] == "normal" and len(paced["rounds"]) == 2
    assert [len(each["ms"]["total"]) for each in paced["rounds"]] == [12, 12]
    assert all(each["processor_ms"] > 0 for each in paced["rounds"])
    (row,) = report.cells(found)
    flat = found["results"][0]["figures"]["steps"]["total"]["median"]
    assert float(row[-1]) == pytest.approx(paced["figures"]["total"]["median"] / flat, abs=0.01)
    del found["results"][0]["paced"]  # of older evidence
    assert report.cells(json.loads(json.dumps(found)))[0][-4:] == [""] * 4
    assert LEARNING > 6


@pytest.mark.parametrize(
    "words, text",
    [
        (["--pace", "0"], "give 1 to 240"),
        (["--pace", "nan"], "give 1 to 240"),
        (["--pace", "30", "--against", "HEAD"], "leave --against away"),
    ],
)
def test_a_pace_that_cannot_be_is_refused_in_a_sentence(words, text, capsys):
    assert main(words) == 2
    assert text in capsys.readouterr().err
