"""``--against`` on a board whose engine runs bundles, and the process that times one checkout."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from tests.support.needs import needs_program

pytest.importorskip("onnxruntime")

from hotpath.deploy.fps import evidence
from hotpath_nogpu.fake_gpu import python
from hotpath_nogpu.tensorrt import machine
from tests import support
from tests.support import ROOT, tiny

GIT = "git -c user.name=a -c user.email=a@b".split()
# The fake GPU's bundle is made first; then the worker runs in the same process.
RUN = """
import io, pathlib, sys
from hotpath_nogpu.tensorrt import fake_bundle
folder = pathlib.Path({folder!r})
fake_bundle.make(folder, "tiny", "8.2")
sys.path.insert(0, {root!r} + "/hotpath/deploy/fps")
import worker
sys.argv = ["worker.py", {root!r}]
sys.stdin = io.StringIO({asked!r})
sys.exit(worker.main())
"""


@pytest.fixture
def checkout(tmp_path):
    """This checkout's files, as the one commit of a repository of its own."""
    needs_program("git")
    folder = tmp_path / "checkout"
    folder.mkdir()
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc", "snapshots", "reference")
    for part in ("hotpath", "tests"):
        shutil.copytree(str(ROOT / part), str(folder / part), symlinks=True, ignore=ignore)
    for words in (["init", "-q"], ["add", "-A", "-f"], ["commit", "-q", "-m", "all"]):
        subprocess.check_call(GIT + words, cwd=str(folder))
    return folder


def run(interpreter, folder, *words):
    return support.run([interpreter, *words], cwd=str(folder), env=dict(os.environ, PYTHONPATH=""))


@pytest.mark.slow("a build and two commits; test_compare has two checkouts in turns")
def test_a_jetson_compares_two_commits_with_one_bundle(checkout, tmp_path):
    interpreter = tmp_path / "python3"
    machine.interpreter(interpreter, {"family": "8.2", "board": "jetson_nano"}, sys.executable)
    network = tiny.write_network(tmp_path)
    built = run(
        interpreter, checkout, "-m", "hotpath", "engine", "jetson_nano", "--network", network
    )
    assert built.returncode == 0, built.stderr
    out = tmp_path / "out"
    options = ["--networks", network, "--quick", "--out", out]
    done = run(interpreter, checkout, "-m", "hotpath", "fps", "--against", "HEAD", *options)
    assert done.returncode == 0, done.stderr
    for side in ("base", "new"):
        found = evidence.read_evidence(out / f"evidence-jetson_nano-{side}.json")
        result = found["results"][0]
        assert found["run"]["complete"] and result["precision"] == "fp16"
        assert result["engine"]["engine"] == "tensorrt"
        assert len(result["rounds"][0]["ms"]["total"]) == 100


def test_a_worker_times_a_frame_that_runs_on_the_gpu_whole(tmp_path):
    pictures, boxes = tiny.film(4)
    np.save(str(tmp_path / "frames.npy"), np.stack(pictures))
    settings = {
        "load": {"bundle": str(tmp_path / "bundle")},
        "threads": 1,
        "frames": str(tmp_path / "frames.npy"),
        "box": boxes[0],
    }
    asked = "".join(json.dumps(line) + "\n" for line in (settings, {"frames": 6}))
    code = RUN.format(folder=str(tmp_path), root=str(ROOT), asked=asked)
    printed = python(["-c", code], FAKE_CUDA_CAPABILITY="53", FAKE_CUDA_VERSION="10020")
    ready, block = [json.loads(line) for line in printed.splitlines()]
    assert ready["ready"]["engine"] == "tensorrt" and ready["ready"]["kernels"] == "cuda"
    assert len(block["boxes"]) == len(block["ms"]["total"]) == 6
