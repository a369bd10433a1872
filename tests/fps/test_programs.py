"""Whole programs beside one another: both are run on the file and the camera, and both are told."""

import pytest

pytest.importorskip("openvino")

from runtime.errors import HotpathError
from tests.fps import programs
from tests.support.streams import camera

SAID = """kestrel: 61 frames of x
glass to box: 6.1 ms (median, p95 7.0, p99 8.5)
60 frames in 2.0 s: 30 a second in all, 500 of tracking; limited by the source
"""


def test_what_a_program_says_is_read(tmp_path):
    script = tmp_path / "program.py"
    script.write_text(f"print({SAID!r})")
    found = programs.run(["python3", str(script)])
    assert found["frames"] == 60 and found["fps"] == 30.0
    assert found["latency_ms"] == [6.1, 7.0, 8.5] and found["processor_s"] > 0


@pytest.mark.parametrize("code", ["raise SystemExit('no camera')", "print('nothing')"])
def test_a_program_that_fails_is_named_with_its_last_line(tmp_path, code):
    script = tmp_path / "program.py"
    script.write_text(code)
    with pytest.raises(HotpathError, match="no camera|nothing"):
        programs.run(["python3", str(script)])


@pytest.mark.slow("two programs with a film and a camera")
@pytest.mark.skipif(camera.compiler() is None, reason="no C compiler")
def test_our_program_runs_on_the_film_and_on_the_camera_that_shows_it(tmp_path, monkeypatch):
    """The peer needs files of networks that are not shipped; ours stands for both here."""
    monkeypatch.setattr(programs, "FILM_SIZE", (640, 480))
    monkeypatch.setattr(programs, "FILM_SIDE", 60)
    monkeypatch.setattr(programs, "film_place", lambda index: (100 + 2 * index, 120))
    monkeypatch.setattr(programs, "theirs", programs.ours)
    out = tmp_path / "runs.json"
    words = ["--network", "kestrel", "--rounds", "1", "--film-frames", "12"]
    words += ["--camera-frames", "12", "--json", str(out)]
    assert programs.main(words) == 0
    assert out.stat().st_size > 200


def test_a_video_without_a_box_is_refused(capsys):
    assert programs.main(["--video", "x.mp4"]) == 2
    assert "--video needs --box" in capsys.readouterr().err
