"""The VOT toolkit's protocol drives our tracker: a real client, a real process, real sockets."""

import os
import pty
import subprocess
import sys

import numpy as np
import pytest

from hotpath.runtime import load_tracker
from hotpath_lab import vot
from tests.conftest import ROOT
from tests.support import run
from tests.support.needs import needs_terminal
from tests.support.tiny import film, write_network, write_pictures


@pytest.fixture
def place(tmp_path):
    """A folder with a tiny network and pictures in it."""
    write_network(tmp_path)
    return write_pictures(tmp_path, film(8)[0])


@pytest.fixture
def conversation(place):
    """The toolkit's own client and our process, speaking through its standard streams."""
    trax = pytest.importorskip("trax")
    from trax import client

    command = [
        sys.executable,
        "-m",
        "hotpath_lab.vot",
        "--network",
        str(place / "tiny.toml"),
    ]
    process = subprocess.Popen(
        command, cwd=str(ROOT), stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    )
    streams = process.stdin.fileno(), process.stdout.fileno()
    try:
        speaker = client.Client(stream=streams, timeout=60, log=lambda *_: None)
        yield trax, speaker
        speaker.quit()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()


def test_the_toolkits_client_gets_our_boxes_and_may_start_anew(place, conversation):
    trax, server = conversation
    pictures, boxes = film(8)
    tracker = load_tracker(place / "tiny.toml")
    tracker.init(pictures[0], boxes[0])
    wanted = [tracker.update(picture) for picture in pictures[1:]]

    def image(index):
        return {"color": trax.FileImage.create(str(place / f"{index:04d}.png"))}

    ((found, _),), _ = server.initialize(image(0), [(trax.Rectangle.create(*boxes[0]), {})], {})
    assert np.allclose(found.bounds(), boxes[0], atol=1e-3)
    for index, track in enumerate(wanted, 1):
        ((found, properties),), _ = server.frame(image(index), {}, [])
        assert np.allclose(found.bounds(), track.box, atol=1e-3)
        confidence = float(properties["confidence"])
        assert confidence == pytest.approx(track.score, abs=1e-3)
    second = (200.0, 150.0, 40.0, 40.0)
    ((found, _),), _ = server.initialize(image(0), [(trax.Rectangle.create(*second), {})], {})
    assert np.allclose(found.bounds(), second, atol=1e-3)


def test_a_person_who_types_it_is_told_who_runs_it():
    pytest.importorskip("trax")
    needs_terminal()
    master, slave = pty.openpty()
    try:
        done = run(
            [sys.executable, "-m", "hotpath_lab.vot"], cwd=str(ROOT), stdin=slave, timeout=60
        )
    finally:
        os.close(master)
        os.close(slave)
    assert done.returncode == 2 and not done.stdout
    assert done.stderr.startswith("hotpath vot: the VOT toolkit runs this command; "), done.stderr
    assert done.stderr.count("\n") == 1 and "docs/calib.md" in done.stderr


def test_an_unknown_network_and_a_missing_package_are_a_sentence(monkeypatch, capsys):
    assert vot.main(["--network", "nanotrak_v2"]) == 2
    told = capsys.readouterr().err
    assert "did you mean nanotrack_v2" in told or "trax" in told
    monkeypatch.setitem(sys.modules, "trax", None)
    assert vot.main([]) == 2
    assert "needs the package trax; run `make setup ALSO=vot`" in capsys.readouterr().err
