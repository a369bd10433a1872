"""The network that ships with the repository needs no download and tracks targets."""

import subprocess
import sys

import cv2
import numpy as np
import pytest

from calib.metrics import overlap
from runtime import DEFAULT_NETWORK, engines, load_tracker
from runtime.networks import FOLDER, load_network
from tests.support import tiny


def test_its_files_lie_beside_its_toml():
    paths = load_network(DEFAULT_NETWORK).locate()
    assert all(path.parent == FOLDER for path in paths.values())
    assert sum(path.stat().st_size for path in paths.values()) <= 2.5e6


@pytest.mark.parametrize("engine", engines.installed())
def test_it_follows_a_square_that_drifts_over_noise(engine):
    pictures, boxes = tiny.film(60)
    tracker = load_tracker(engine=engine)
    tracker.init(pictures[0], boxes[0])
    found = [tracker.update(picture).box for picture in pictures[1:]]
    assert overlap(np.array(found), np.array(boxes[1:])).min() > 0.6
    tracker.close()


def test_the_command_line_needs_no_network_option(tmp_path):
    pictures, boxes = tiny.film(5)
    for index, picture in enumerate(pictures):
        cv2.imwrite(str(tmp_path / "{}.png".format(index)), picture)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "runtime.track",
            "--video",
            str(tmp_path),
            "--results",
            "-",
            "--box",
            ",".join(map(str, boxes[0])),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 6
    assert DEFAULT_NETWORK in done.stderr
