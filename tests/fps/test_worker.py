"""The process that times one checkout: also a tracker whose whole frame runs on the GPU."""

import json

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

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
