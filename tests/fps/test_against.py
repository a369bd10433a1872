"""``--against`` on a board whose engine runs bundles: built, timed and compared on both sides."""

import os
import shutil
import subprocess
import sys

import pytest

pytest.importorskip("onnxruntime")

from tests import support
from tests.fakes.tensorrt import machine
from tests.fps import evidence
from tests.support import ROOT, tiny

PARTS = ("boards", "calib", "kernels", "runtime", "tests")
WHO = {
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@b",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@b",
}


@pytest.fixture
def checkout(tmp_path):
    """This checkout's files, as the one commit of a repository of its own."""
    if not shutil.which("git"):
        pytest.skip("there is no git")
    folder = tmp_path / "checkout"
    folder.mkdir()
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc", "snapshots", "reference")
    for part in PARTS:
        shutil.copytree(str(ROOT / part), str(folder / part), ignore=ignore)
    for words in (["init", "-q"], ["add", "-A", "-f"], ["commit", "-q", "-m", "all"]):
        subprocess.check_call(["git"] + words, cwd=str(folder), env=dict(os.environ, **WHO))
    return folder


def run(python, folder, *words):
    return support.run([python, *words], cwd=str(folder), env=dict(os.environ, PYTHONPATH=""))


@pytest.mark.slow("a build in each of two checkouts; test_compare has two checkouts in turns")
def test_a_jetson_compares_two_commits_with_a_bundle_built_by_each(checkout, tmp_path):
    python = tmp_path / "python3"
    machine.interpreter(python, {"family": "8.2", "board": "jetson_nano"}, sys.executable)
    network = tiny.write_network(tmp_path)
    common = ["--network", network]
    built = run(python, checkout, "-m", "boards.build", "jetson_nano", *common)
    assert built.returncode == 0, built.stderr
    out = tmp_path / "out"
    options = ["--networks", network, "--frames", "20", "--rounds", "1", "--out", out]
    done = run(python, checkout, "-m", "tests.fps", "--against", "HEAD", *options)
    assert done.returncode in (0, 1, 3), done.stderr  # 1, 3: this computer is busy
    assert "building engines/jetson_nano/tiny-fp16" in done.stdout
    for side in ("base", "new"):
        found = evidence.read(out / f"evidence-jetson_nano-{side}.json")
        result = found["results"][0]
        assert found["run"]["complete"] and result["precision"] == "fp16"
        assert result["engine"]["engine"] == "tensorrt"
        assert len(result["rounds"][0]["ms"]["total"]) == 20
