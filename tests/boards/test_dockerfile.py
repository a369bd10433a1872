"""The Dockerfiles make images that track, and the doctor's advice makes a fresh board ready.

buildah builds on bases that mmdebstrap makes. No registry of images is used: a base has the name of
Docker's or NVIDIA's image, and packages of Debian or Ubuntu.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest

from hotpath.boards import jetpacks
from tests.support import ROOT, board_roots
from tests.support.pages import write_world

HERE = ROOT / "hotpath" / "boards"
DEBIAN = "deb http://deb.debian.org/debian {} main"
UBUNTU = "deb [trusted=yes] http://archive.ubuntu.com/ubuntu {} main universe"
PACKAGES = "--include=apt,ca-certificates,python3-distutils,python3-pip"
PIP = "python3 -m pip install numpy=={} opencv-python-headless=={}"
OPENCV = {"4.6": "4.2.0.34", "5.1": "4.5.5.64", "6": "4.5.5.64"}  # wheels for those NumPys


def image_pip(jetpack):
    """What installs NumPy and OpenCV of a JetPack's image."""
    return PIP.format(jetpacks()[jetpack]["numpy"], OPENCV[jetpack])


# PyCUDA is compiled with CUDA: pip finds that it is installed
PYCUDA = r" && printf 'Metadata-Version: 1.0\nName: {0}\nVersion: {1}\n'"
PYCUDA += " > /usr/lib/python3/dist-packages/{0}-{1}.egg-info"
PYCUDA = PYCUDA.format(*jetpacks()["4.6"]["gpu_arrays"].split()[0].split("=="))
PYTHON = PACKAGES.replace("python3-distutils", "python3")  # it has none in Ubuntu 24.04
BASES = {  # image -> release, options of mmdebstrap, what NVIDIA's image has
    "docker.io/library/debian:bookworm-slim": ("bookworm", "--quiet", "true"),
    "nvcr.io/nvidia/tensorrt:25.08-py3": ("noble", PYTHON, "true"),
    "nvcr.io/nvidia/l4t-jetpack:r36.4.0": ("jammy", PACKAGES, image_pip("6")),
    "nvcr.io/nvidia/l4t-jetpack:r35.4.1": ("focal", PACKAGES, image_pip("5.1")),
    "nvcr.io/nvidia/l4t-ml:r32.7.1-py3": (
        "bionic",
        PACKAGES + ",libglib2.0-0",
        image_pip("4.6") + PYCUDA,
    ),
}
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
TRUSTED = "/etc/trusted.crt"  # a copy: a proxy that this computer trusts may be among them
# NVIDIA's packages, which no base has: the doctor looks for what stands in for them
NVIDIA = ("libnvinfer", "nvidia-jetpack", "libopencv-python")
SNAPSHOTS = {  # release -> the files of a board with it
    "r38": "jetson_thor_jp7",
    "r36": "jetson_orin_nano_jp6",
    "r35": "jetson_xavier_nx_jp5",
    "r32": "jetson_nano_jp4",
}
# of pip; that of Ubuntu 18.04 looks at pypi.python.org, an older name of the index
VARIABLES = (f"REQUESTS_CA_BUNDLE={TRUSTED}", "PIP_INDEX_URL=https://pypi.org/simple")


def run(words, check=True):
    """Run a program; returns a ``CompletedProcess`` with its output as text."""
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=1800)
    if check and done.returncode:
        raise AssertionError(f"{words} ended with {done.returncode}: {done.stderr[-3000:]}")
    return done


class Image:
    """A container of the image that buildah makes of a Dockerfile.

    Args:
        file: the Dockerfile.
        base: the image that it names; a key of ``BASES``.
        folder: for images and containers (some gigabytes); ``folder/data`` is its ``/data``.
        arguments: those of the build.
    """

    def __init__(self, file, base, folder, **arguments):
        self._folder = pathlib.Path(folder)
        self.data = self._folder / "data"
        self.data.mkdir()
        self._make_base(base)
        options = [f"--build-arg={name}={value}" for name, value in arguments.items()]
        options += ["--isolation=chroot", "--pull-never", f"--file={file}", "--tag=hotpath"]
        self._buildah("bud", *options, ROOT)
        self._container = self._from("localhost/hotpath")
        told = json.loads(self._buildah("inspect", self._container).stdout)
        self._entry = told["OCIv1"]["config"]["Entrypoint"]

    def _buildah(self, *words, check=True):
        folders = ("--root", self._folder / "images", "--runroot", self._folder / "run")
        return run(["buildah", "--storage-driver", "vfs", *folders, *words], check)

    def _from(self, *words):
        return self._buildah("from", "--pull-never", *words).stdout.strip()

    def _make_base(self, name):
        release, options, adds = BASES[name]
        mirror = (DEBIAN if release == "bookworm" else UBUNTU).format(release)
        packed = self._folder / "base.tar"
        run(["mmdebstrap", "--quiet", "--variant=minbase", options, release, packed, mirror])
        base = self._from("scratch")
        self._buildah("add", base, packed, "/")
        self._buildah("copy", base, CERTIFICATES, TRUSTED)
        self._buildah("config", *(f"--env={each}" for each in VARIABLES), base)
        self._buildah("run", "--isolation=chroot", base, "--", "sh", "-c", adds)
        self._buildah("commit", "--rm", base, name)
        packed.unlink()

    def on_the_base(self, base):
        """Go on in a container of the base itself, with the checkout in ``/opt/hotpath``."""
        self._container = self._from(base)
        self._buildah("copy", self._container, ROOT / "hotpath", "/opt/hotpath/hotpath")

    def enter(self, *words, check=True):
        """Run a program in the container; returns a ``CompletedProcess``."""
        data = f"--volume={self.data}:/data"
        words = ("run", "--isolation=chroot", data, self._container, "--", *words)
        return self._buildah(*words, check=check)

    def run(self, *words, check=True):
        """Run the image's entry point with these arguments; returns a ``CompletedProcess``."""
        return self.enter(*self._entry, *words, check=check)


def of_a_jetson(release):
    """The base of a release of Dockerfile.l4t, and its ``ARRAYS``."""
    text = (HERE / "Dockerfile.l4t").read_text()
    found = re.search(rf'^FROM (\S+) AS {release}\nENV ARRAYS="(.*?)"$', text, re.MULTILINE)
    return found.groups()


needs_buildah = pytest.mark.skipif(
    bool(os.geteuid()) or not (shutil.which("mmdebstrap") and shutil.which("buildah")),
    reason="root, mmdebstrap and buildah build an image",
)


@needs_buildah
@pytest.mark.slow("it installs a Debian and all libraries")
@pytest.mark.timeout(1800)
def test_the_image_of_a_computer_tracks():
    with tempfile.TemporaryDirectory() as folder:
        image = Image(HERE / "Dockerfile", next(iter(BASES)), folder)
        write_world(image.data, 5)
        done = image.run(*"track --video frames --box 90,70,40,40 --results boxes.csv".split())
        rows = (image.data / "boxes.csv").read_text().splitlines()
        assert len(rows) == 6 and ",tracked" in rows[-1], done.stderr
        assert image.enter("sh", "-c", "command -v g++", check=False).returncode
        assert image.run("track", "--video", "no.mp4", check=False).returncode == 2


@pytest.mark.parametrize("release", SNAPSHOTS)
def test_a_jetsons_image_has_what_the_profiles_name(release):
    base, arrays = of_a_jetson(release)
    assert (release if release != "r38" else "tensorrt:25.08") in base
    releases = [table for table in jetpacks().values() if table["l4t"].startswith(release[1:])]
    assert {table["gpu_arrays"] for table in releases} == {arrays}


@needs_buildah
@pytest.mark.slow("it installs an Ubuntu")
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("release", SNAPSHOTS)
def test_the_image_of_a_jetson_is_built_and_a_fresh_one_becomes_ready(release):
    base, _ = of_a_jetson(release)
    with tempfile.TemporaryDirectory() as folder:
        image = Image(HERE / "Dockerfile.l4t", base, folder, L4T=release)
        assert "track" in image.run("--help").stdout
        # TensorRT is not there: the sentence says so
        done = image.run("track", "--video", "no.mp4", check=False)
        assert done.returncode == 2, done.stderr
        image.on_the_base(base)
        follow_the_doctor(image, SNAPSHOTS[release])


def follow_the_doctor(image, snapshot):
    """Run what the doctor prints, until it prints nothing; then everything must import."""
    board = board_roots.BoardRoot(snapshot, image.data / "root")
    version = board.detect().software["python"]
    for packages in board.folder.glob("usr/**/dist-packages"):
        shutil.rmtree(str(packages))
    for place in ("usr/lib/python3", f"usr/local/lib/python{version}"):  # those of the container
        packages = board.folder / place / "dist-packages"
        packages.parent.mkdir(parents=True, exist_ok=True)
        packages.symlink_to(f"/{place}/dist-packages")
    in_a_shell(
        image, "printf '#!/bin/sh\\nexec \"$@\"\\n' > /usr/bin/sudo && chmod +x /usr/bin/sudo"
    )
    in_a_shell(image, "apt-get update -qq")
    environment = board.folder / f"usr/lib/python{version}/dist-packages"  # once it is made
    environment.parent.mkdir(parents=True, exist_ok=True)
    environment.symlink_to(f"/root/hotpath-venv/lib/python{version}/site-packages")
    assert advice_for(image)
    for _ in range(3):
        for command in advice_for(image):
            if any(name in command for name in NVIDIA):
                name = "tensorrt" if "libopencv" not in command else "opencv_python_headless"
                command = f"mkdir -p /usr/lib/python3/dist-packages/{name}-0.dist-info"
            in_a_shell(image, command.replace("apt-get install", "apt-get install -y -qq"))
    assert not advice_for(image)
    python = in_a_shell(image, "ls ~/hotpath-venv/bin/python || echo python3").strip()
    modules = "numpy, hotpath.boards, hotpath.runtime.loading, hotpath.kernels.cuda.windows"
    in_a_shell(image, f"{python} -c 'import {modules}'")


def advice_for(image):
    """The commands that the doctor prints; it can't see that an environment was made."""
    told = in_a_shell(image, "python3 -m hotpath boards --root /data/root missing").splitlines()
    made = not image.enter("test", "-e", "/root/hotpath-venv", check=False).returncode
    return [line for line in told if not made or "venv " not in line + " "]


def in_a_shell(image, command):
    """What a command prints, run by a shell in the checkout of a container."""
    return image.enter("sh", "-ec", "cd /opt/hotpath && " + command).stdout
