"""The command line beside its way through a film: broken libraries, Ctrl-C, lists, downloads."""

import os
import pathlib
import signal
import subprocess
import time

import pytest

from runtime import track as command_line
from runtime.networks import __main__ as networks_command
from runtime.networks import load_network
from tests.runtime.test_track import command, on_film, sentence, world
from tests.support.ports import free_port

__all__ = ["world"]
pytest.importorskip("onnxruntime")


def _broken(folder, *names):
    """An environment in which some libraries fail when they are imported."""
    for name in names:
        (folder / (name + ".py")).write_text("raise ImportError('its library is damaged')\n")
    return dict(os.environ, PYTHONPATH=str(folder))


def test_a_broken_engine_gives_way_to_the_next(world, tmp_path):
    pytest.importorskip("openvino")
    done = on_film(world, "film.avi", env=_broken(tmp_path, "openvino"))
    assert done.returncode == 0, done.stderr
    assert "onnxruntime" in done.stderr


def test_broken_engines_are_one_sentence(world, tmp_path):
    environment = _broken(tmp_path, "openvino", "onnxruntime")
    for engine in ("auto", "onnxruntime"):
        done = on_film(world, "film.avi", "--engine", engine, env=environment)
        assert "its library is damaged" in sentence(done)


def test_ctrl_c_ends_a_run_whose_source_is_still_opening(world):
    port = free_port()
    words = command(world[0], "--video", f"udp://127.0.0.1:{port}", "--box", "1,1,9,9")
    process = subprocess.Popen(words, stderr=subprocess.PIPE, universal_newlines=True)
    try:
        limit = time.monotonic() + 120
        while f":{port:04X} " not in pathlib.Path("/proc/net/udp").read_text():
            assert process.poll() is None and time.monotonic() < limit
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=5)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "Traceback" not in said


def test_cameras_are_listed_by_the_name_that_video_takes(monkeypatch, capsys):
    monkeypatch.setattr(command_line, "list_cameras", lambda: [(7, "Emulated")])
    assert command_line.main(["--list-cameras"]) == 0
    assert capsys.readouterr().out == "cam7  Emulated\n"


def test_every_command_reads_networks_dir(networks_dir, monkeypatch, capsys):
    monkeypatch.setenv("NETWORKS_DIR", str(networks_dir))
    assert networks_command.main(["show", "nanotrack_v2"]) == 0
    assert "present" in capsys.readouterr().out


def test_files_that_are_there_are_not_downloaded(networks_dir, capsys):
    for name in ("nanotrack_v2", "kestrel"):
        folder = networks_dir if name != "kestrel" else load_network(name).path.parent
        assert networks_command.main(["get", name, "--networks-dir", str(folder)]) == 0
        assert capsys.readouterr().out.count("is there already") == 2
