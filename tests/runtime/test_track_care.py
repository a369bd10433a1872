"""The command line protects files, and reports wrong boxes and broken libraries."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from runtime import track as command_line
from runtime.networks import load_network
from tests.support import tiny
from tests.support.ports import free_port

pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the tiny network and a short film."""
    folder = tmp_path_factory.mktemp("care")
    tiny.write_network(folder)
    tiny.write_video(folder / "film.avi", tiny.film(6)[0])
    return folder


def track(folder, *arguments, **options):
    """Run the command line on the tiny network to its end."""
    return subprocess.run(
        [sys.executable, "-m", "runtime.track", "--network", str(folder / "tiny.toml")]
        + [str(argument) for argument in arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        universal_newlines=True,
        timeout=120,
        **options,
    )


def sentence(done):
    """The one line that a run printed when it failed as it should."""
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    return done.stderr


@pytest.mark.parametrize("link", [False, True])
def test_the_video_that_is_read_is_never_written(folder, tmp_path, link):
    film = tmp_path / "film.avi"
    film.write_bytes((folder / "film.avi").read_bytes())
    out = film
    if link:
        out = tmp_path / "link.avi"
        out.symlink_to(film)
    done = track(folder, "--video", film, "--box", "90,70,40,40", "--save", out)
    assert "is also an input of this run" in sentence(done)
    assert film.read_bytes() == (folder / "film.avi").read_bytes()


def test_results_and_boxes_are_two_files(folder, tmp_path):
    boxes = tmp_path / "boxes.csv"
    boxes.write_text("90,70,40,40\n")
    done = track(folder, "--video", folder / "film.avi", "--boxes", boxes, "--results", boxes)
    assert "is also an input of this run" in sentence(done)
    assert boxes.read_text() == "90,70,40,40\n"


def test_old_results_outlive_a_wrong_name_of_the_video(folder, tmp_path):
    old = tmp_path / "old.csv"
    old.write_text("precious\n")
    sentence(
        track(
            folder,
            "--video",
            folder / "film.avi",
            "--box",
            "90,70,40,40",
            "--results",
            old,
            "--save",
            tmp_path / "x.xyz",
        )
    )
    assert old.read_text() == "precious\n"


@pytest.mark.parametrize(
    "box", ["-1e8,-1e8,2e8,2e8", "-1e300,-1e300,2e300,2e300", "20,20,1e-320,1e-320"]
)
def test_boxes_past_all_measure_are_refused(folder, box):
    sentence(track(folder, "--video", folder / "film.avi", "--box", box))


def test_a_target_partly_left_of_the_frame_needs_no_equals_sign(folder):
    done = track(folder, "--video", folder / "film.avi", "--box", "-5,70,40,40", "--results", "-")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1].split(",")[2] == "-5.0"


@pytest.mark.parametrize("change", ["search = 300", "search = 3"])
def test_crops_of_another_size_than_the_onnx_takes_are_one_sentence(folder, tmp_path, change):
    tiny.write_network(tmp_path, tiny.TOML.replace("search = 255", change))
    done = track(tmp_path, "--video", folder / "film.avi", "--box", "90,70,40,40")
    assert "tiny" in sentence(done)


def _broken(folder, *names):
    """An environment in which some libraries fail when they are imported."""
    for name in names:
        (folder / (name + ".py")).write_text("raise ImportError('its library is damaged')\n")
    return dict(os.environ, PYTHONPATH=str(folder))


def test_a_broken_engine_gives_way_to_the_next(folder, tmp_path):
    pytest.importorskip("openvino")
    done = track(
        folder,
        "--video",
        folder / "film.avi",
        "--box",
        "90,70,40,40",
        env=_broken(tmp_path, "openvino"),
    )
    assert done.returncode == 0, done.stderr
    assert "onnxruntime" in done.stderr


def test_broken_engines_are_one_sentence(folder, tmp_path):
    environment = _broken(tmp_path, "openvino", "onnxruntime")
    for engine in ("auto", "onnxruntime"):
        done = track(
            folder,
            "--video",
            folder / "film.avi",
            "--box",
            "90,70,40,40",
            "--engine",
            engine,
            env=environment,
        )
        assert "its library is damaged" in sentence(done)


def test_ctrl_c_ends_a_run_whose_source_is_still_opening(folder):
    port = free_port()
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "runtime.track",
            "--network",
            str(folder / "tiny.toml"),
            "--video",
            f"udp://127.0.0.1:{port}",
            "--box",
            "1,1,9,9",
        ],
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
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


def test_every_command_reads_networks_dir(folder, networks_dir):
    done = subprocess.run(
        [sys.executable, "-m", "runtime.networks", "show", "nanotrack_v2"],
        env=dict(os.environ, NETWORKS_DIR=str(networks_dir)),
        stdout=subprocess.PIPE,
        universal_newlines=True,
    )
    assert done.returncode == 0
    assert "present" in done.stdout


def test_files_that_are_there_are_not_downloaded(networks_dir):
    for name in ("nanotrack_v2", "kestrel"):
        folder = networks_dir if name != "kestrel" else load_network(name).path.parent
        done = subprocess.run(
            [sys.executable, "-m", "runtime.networks", "get", name, "--networks-dir", str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("is there already") == 2
