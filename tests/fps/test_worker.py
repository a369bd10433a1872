"""The process that times one checkout: also a tracker whose whole frame runs on the GPU."""

import json

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from runtime import load_tracker
from tests.fps import worker
from tests.support import ROOT, tiny
from tests.support.fake_gpu import python

# The fake GPU's bundle is made first; then the worker runs in the same process.
RUN = """
import io, pathlib, sys
from tests.fakes.tensorrt import whole
folder = pathlib.Path({folder!r})
whole.make(folder, "tiny", "8.2")
sys.path.insert(0, {fps!r})
import worker
sys.argv = ["worker.py", {root!r}]
sys.stdin = io.StringIO({asked!r})
sys.exit(worker.main())
"""


def test_a_tracker_on_the_gpu_is_timed(tmp_path):
    pictures, boxes = tiny.film(4)
    np.save(str(tmp_path / "frames.npy"), np.stack(pictures))
    (tmp_path / "gpu").mkdir()
    settings = {
        "load": {"bundle": str(tmp_path / "gpu" / "bundle")},
        "threads": 1,
        "frames": str(tmp_path / "frames.npy"),
        "box": [float(value) for value in boxes[0]],
    }
    asked = "".join(json.dumps(line) + "\n" for line in (settings, {"frames": 6}))
    code = RUN.format(
        folder=str(tmp_path / "gpu"), fps=str(ROOT / "tests" / "fps"), root=str(ROOT), asked=asked
    )
    printed = python(["-c", code], FAKE_CUDA_CAPABILITY="53", FAKE_CUDA_VERSION="10020")
    ready, block = [json.loads(line) for line in printed.splitlines()]
    assert ready["ready"]["engine"] == "tensorrt" and ready["ready"]["kernels"] == "cuda"
    assert len(block["boxes"]) == len(block["ms"]["total"]) == 6


class Kernels:
    name = "c++"


class Older:
    """A tracker of a commit that does not state its kernels' name."""

    def __init__(self, kernels):
        if kernels is not None:
            self.kernels = kernels


def test_kernels_of_older_commits_are_named():
    assert worker.kernels_of(Older(Kernels())) == "c++"
    assert worker.kernels_of(Older(None)) == "cuda"


def test_options_are_those_of_this_commit_and_of_older_ones():
    def older(network=None, *, engine="auto", bundle=None):
        pass

    assert worker.options_of(older) == {"network", "engine", "bundle"}
    assert {"network", "bundle", "threads", "precision"} <= worker.options_of(load_tracker)
