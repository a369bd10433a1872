"""Wrong files are told before anything is loaded, each in one sentence."""

import os
import sys

import pytest

from hotpath.app import track_command as track
from hotpath.video import desktop_window, output_file
from tests.support import tiny

BOX = ["--box", "96,72,40,40"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a film, where nothing can be loaded."""

    def load(*_, **__):
        raise AssertionError("a network was loaded")

    monkeypatch.setattr("hotpath.runtime.targets.targets.open_targets", load)
    monkeypatch.setattr("hotpath.app.cli.open_detector.open_detector", load)
    monkeypatch.chdir(tmp_path)
    tiny.write_pictures(tmp_path / "film", tiny.film(2)[0])
    (tmp_path / "text.mp4").write_text("no video\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "drone.avi").write_bytes(b"RIFF")
    return tmp_path


@pytest.mark.parametrize(
    "words, told",
    [
        (["no.mp4", *BOX], "no.mp4: no such file, folder or pictures; check the path"),
        (["texxt.mp4", *BOX], "no such file, folder or pictures; did you mean text.mp4?"),
        (["videos/dron.avi", *BOX], "did you mean videos/drone.avi?"),
        (["text.mp4", *BOX], "text.mp4: is text, not a video"),
        (["empty", *BOX], "empty: no pictures in this folder"),
        (["videos", *BOX], "but drone.avi; name that file"),
        (["/dev/null", *BOX], "/dev/null: is not a regular file; name a video, a folder"),
        (["ftp://a/b.mp4", *BOX], "streams by ftp:// are not supported; use one of rtsp://"),
        (["film", "--box", "900,900,5,5"], "the frame of"),
        (["film", *BOX, "--results", "no/b.csv"], "no does not exist; make it first"),
        (["film", *BOX, "--stream", "rtsp://:8554/live"], "start a server, such as MediaMTX"),
        (["film", *BOX, "--stream", "here"], "--stream here: not an address"),
        (["film", *BOX, "--stream", "udp://a:1", "--stream-login", "no"], "login no: no such file"),
        (["cam77", *BOX], "no camera at /dev/video77"),
        (["film", "--fps", "25", "--start", "9", *BOX], "ends at 0.0 s; give --start an earlier"),
        (["film", "--start", "9", *BOX], "has no frame rate, which --start needs"),
        (["film", "--detector", "yolox_nano"], "give --class too"),
        (["film", "--detector", "yolox_nano", "--page", "--all"], "give --class too"),
        (["film", "--all"], "--all needs a detector"),
        (["film", "--class", "red"], "--class needs a detector"),
        (["no.mp4", "--detector", "yolox_nano", "--class", "cat"], "no.mp4: no such file"),
        (["film"], "no target: film has no usable ground truth and"),
    ],
)
def test_a_wrong_input_is_told_before_the_network_is_loaded(
    folder, capsys, monkeypatch, words, told
):
    monkeypatch.setattr(desktop_window, "no_window", lambda: "there is no display")
    assert track.main(words) == 2
    *notes, last = capsys.readouterr().err.splitlines()
    assert told in last and last.startswith("hotpath track: ") and "Errno" not in last
    assert all("has no frame rate" in note for note in notes)


def test_an_output_that_can_not_be_made_is_told_before_too(folder, capsys, monkeypatch):
    monkeypatch.setattr(desktop_window, "no_window", lambda: "there is no display")
    assert track.main(["film", *BOX, "--show"]) == 2
    assert "no display; leave out --show" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "av", None)
    assert track.main(["film", *BOX, "--save", "a.mp4"]) == 2
    assert "needs the package av" in capsys.readouterr().err
    monkeypatch.setattr(output_file.os, "access", lambda path, mode: mode != os.W_OK)
    assert track.main(["film", *BOX, "--results", "a.csv"]) == 2
    assert "a.csv: no permission" in capsys.readouterr().err
