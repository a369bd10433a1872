"""The Dockerfiles' steps make an image that tracks. Docker's own build is not run: no daemon."""

import os
import pathlib
import shutil
import tempfile

import pytest

from boards import load_board, names
from tests.support import ROOT
from tests.support.dockerfile import Image, chosen, steps
from tests.support.pages import write_world

HERE = ROOT / "boards"


needs_root = pytest.mark.skipif(
    bool(os.geteuid()) or not shutil.which("mmdebstrap"),
    reason="a Dockerfile's steps run in a root by mmdebstrap and chroot, as root",
)
RELEASES = ("r36", "r35", "r32")


@needs_root
@pytest.mark.slow("it installs a Debian and all libraries")
@pytest.mark.timeout(1800)
def test_the_image_of_a_computer_tracks():
    with tempfile.TemporaryDirectory() as folder:  # a gigabyte
        image = Image(HERE / "Dockerfile", ROOT, pathlib.Path(folder, "root"))
        write_world(image.root / "data", 5)
        done = image.run(*"track --video frames --box 90,70,40,40 --results boxes.csv".split())
        rows = (image.root / "data/boxes.csv").read_text().splitlines()
        assert len(rows) == 6 and ",tracked" in rows[-1], done.stderr
        assert not shutil.which("g++", path=str(image.root / "usr/bin"))
        assert image.run("track", "--video", "no.mp4", check=False).returncode == 2


@pytest.mark.parametrize("release", RELEASES)
def test_a_jetsons_image_has_what_the_profiles_name(release):
    found = dict(chosen(steps(HERE / "Dockerfile.l4t"), L4T=release)[:2])
    assert release in found["FROM"]
    arrays = found["ENV"].split("=", 1)[1].strip('"')
    jetsons = [load_board(name) for name in names() if name.startswith("jetson")]
    kinds = [kind for board in jetsons for kind in board.software.values()]
    assert {kind["gpu_arrays"] for kind in kinds if kind["l4t"] == release[1:]} == {arrays}


@needs_root
@pytest.mark.slow("it installs an Ubuntu")
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("release", RELEASES)
def test_the_steps_of_a_jetsons_image_end_well(release):
    with tempfile.TemporaryDirectory() as folder:
        image = Image(HERE / "Dockerfile.l4t", ROOT, pathlib.Path(folder, "root"), L4T=release)
        assert "track" in image.run("--help").stdout
        # TensorRT is not there: the sentence says so
        done = image.run("track", "--video", "no.mp4", check=False)
        assert done.returncode == 2, done.stderr
