"""The small files beside a sequence's pictures are regular files of some kB, or not read at all."""

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from hotpath.video import sequence
from tests.support import ROOT

SIDE_FILES = {
    "sequence": "fps=12.5\n",
    "seqinfo.ini": "[Sequence]\nname=MOT\nframeRate = 12.5\n",
    "meta_info.ini": "[METAINFO]\nurl: x\nanno_fps: 12.5Hz\n",
}
READ_FPS = """
import resource, sys, time
from hotpath.video.sources import open_source
resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30))
began = time.process_time()
with open_source(sys.argv[1]) as source:
    print(source.fps, source.read().shape, time.process_time() - began)
"""


def newlines(path, text):
    path.write_text("\n" * (sequence.MOST_SIDE_BYTES - len(text)) + text)


def a_link_to_zeros(path, text):
    path.symlink_to("/dev/zero")


def a_pipe(path, text):
    os.mkfifo(str(path))


def twelve_gigabytes(path, text):
    with open(str(path), "wb") as file:
        file.truncate(12 << 30)


def a_folder(path, text):
    path.mkdir()


def plain(path, text):
    path.write_text(text)


@pytest.mark.parametrize("name", sorted(SIDE_FILES))
@pytest.mark.parametrize(
    "make, fps",
    [(plain, 12.5), (newlines, 12.5), (a_link_to_zeros, None), (a_pipe, None)]
    + [(twelve_gigabytes, None), (a_folder, None)],
)
def test_a_file_that_states_the_frame_rate_costs_little_whatever_it_is(tmp_path, name, make, fps):
    cv2.imwrite(str(tmp_path / "0001.png"), np.zeros((24, 32, 3), np.uint8))
    make(tmp_path / name, SIDE_FILES[name])
    done = subprocess.run(
        [sys.executable, "-c", READ_FPS, str(tmp_path)],
        cwd=str(ROOT),
        stdout=subprocess.PIPE,
        timeout=120,  # a pipe that nobody writes to waits for ever
    )
    told = done.stdout.decode().split(" ", 1)
    assert told[0] == str(fps) and told[1].startswith("(24, 32, 3)")
    assert float(told[1].split()[-1]) < 1.5  # a search that goes back at each line takes six
