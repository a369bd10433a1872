"""The Dockerfiles' steps make an image that tracks. Docker's own build is not run: no daemon."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest

from boards import load_board, names
from tests.support import ROOT
from tests.support.pages import write_world

HERE = ROOT / "boards"
DEBIAN = "deb http://deb.debian.org/debian {} main"
UBUNTU = "deb [trusted=yes] http://archive.ubuntu.com/ubuntu {} main universe"
PACKAGES = "--include=apt,ca-certificates,python3-distutils,python3-pip"
PIP = "python3 -m pip install numpy=={} opencv-python-headless=={}"
# PyCUDA is compiled with CUDA: pip finds that it is installed
PYCUDA = r" && printf 'Metadata-Version: 1.0\nName: pycuda\nVersion: 2021.1\n'"
PYCUDA += " > /usr/lib/python3/dist-packages/pycuda-2021.1.egg-info"
PYTHON = PACKAGES.replace("python3-distutils", "python3")  # it has none in Ubuntu 24.04
BASES = {  # image -> release, what NVIDIA's image has
    "debian:bookworm-slim": ("bookworm", ""),
    "nvcr.io/nvidia/tensorrt:25.08-py3": ("noble", "true"),
    "nvcr.io/nvidia/l4t-jetpack:r36.4.0": ("jammy", PIP.format("1.21.5", "4.5.5.64")),
    "nvcr.io/nvidia/l4t-jetpack:r35.4.1": ("focal", PIP.format("1.17.4", "4.5.5.64")),
    "nvcr.io/nvidia/l4t-ml:r32.7.1-py3": ("bionic", PIP.format("1.13.3", "4.2.0.34") + PYCUDA),
}
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
TRUSTED = "/etc/trusted.crt"  # a copy: a proxy that this computer trusts may be among them
ENTER = (
    "mount -t proc proc $0/proc && mount --rbind /dev $0/dev && mount -t tmpfs tmp $0/tmp && "
    'exec chroot $0 "$@"'
)


def steps(path):
    """The instructions of a Dockerfile: list of (name, text)."""
    text = re.sub(r"^\s*#.*\n", "", pathlib.Path(path).read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n", " ", text).splitlines()
    return [tuple(line.split(None, 1)) for line in lines if line.strip()]


def chosen(found, **arguments):
    """The steps of the last stage, and before them those of the stage that it is made from."""
    starts = [number for number, (name, _) in enumerate(found) if name == "FROM"] + [len(found)]
    given = dict(text.split("=", 1) for _, text in found[: starts[0]])
    given.update(arguments)
    stages = {}
    for first, last in zip(starts, starts[1:]):
        base, _, name = _filled(found[first][1], given).partition(" AS ")
        stages[name] = stages.get(base, [("FROM", base)]) + found[first + 1 : last]
    return stages[""]


def _filled(text, values):
    return re.sub(r"\$\{?(\w+)\}?", lambda name: values.get(name.group(1), ""), text)


class Image:
    """What the steps of a Dockerfile make."""

    def __init__(self, path, context, root, **arguments):
        self.root, self._context = pathlib.Path(root), pathlib.Path(context)
        self._folder, self._entry = "/", []
        self._variables = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        self._arguments = {}
        for name, text in chosen(steps(path), **arguments):
            getattr(self, "_" + name.lower())(text)

    def run(self, *words, check=True):
        """Run the image's entry point with these arguments; returns a ``CompletedProcess``."""
        return self._enter([*self._entry, *words], self._variables, check)

    def _enter(self, words, env, check=True):
        inner = ["env", "-i", "-C", self._folder, *(f"{k}={v}" for k, v in env.items())]
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", ENTER]
        done = subprocess.run(
            [*command, str(self.root), *inner, *words], capture_output=True, text=True, timeout=1800
        )
        if check and done.returncode:
            raise AssertionError(f"{words} ended with {done.returncode}: {done.stderr[-3000:]}")
        return done

    def _values(self):
        return dict(self._arguments, **self._variables)

    def _from(self, text):
        release, adds = BASES[text]
        mirror, options = (UBUNTU, [PACKAGES]) if adds else (DEBIAN, [])
        if release == "bionic":
            options[0] += ",libglib2.0-0"
        if release == "noble":
            options = [PYTHON]
        command = ["mmdebstrap", "--quiet", "--variant=minbase", *options, release, str(self.root)]
        subprocess.run([*command, mirror.format(release)], check=True, capture_output=True)
        # the network and the certificates that Docker's own host would have
        for name in ("/etc/resolv.conf", "/etc/hosts"):
            shutil.copy(name, f"{self.root}{name}")
        shutil.copy(CERTIFICATES, f"{self.root}{TRUSTED}")
        self._run(adds or "true")

    def _arg(self, text):
        name, _, value = text.partition("=")
        self._arguments[name] = _filled(value, self._values())

    def _env(self, text):
        for name, value in re.findall(r'(\w+)=("[^"]*"|\S+)', text):
            self._variables[name] = _filled(value.strip('"'), self._values())

    def _workdir(self, text):
        self._folder = os.path.join(self._folder, _filled(text, self._values()))
        (self.root / self._folder[1:]).mkdir(parents=True, exist_ok=True)

    def _copy(self, text):
        *sources, target = _filled(text, self._values()).split()
        into = self.root / os.path.join(self._folder, target)[1:]
        for source in (self._context / name for name in sources):
            if source.is_dir():
                shutil.copytree(
                    str(source), str(into), ignore=shutil.ignore_patterns("__pycache__")
                )
            else:
                shutil.copy(str(source), str(into))

    def _run(self, text):
        # of pip; that of Ubuntu 18.04 looks at pypi.python.org, an older name of the index
        trust = {"REQUESTS_CA_BUNDLE": TRUSTED, "PIP_INDEX_URL": "https://pypi.org/simple"}
        self._enter(["sh", "-c", text], dict(self._values(), **trust))

    def _entrypoint(self, text):
        self._entry = json.loads(text)


needs_root = pytest.mark.skipif(
    bool(os.geteuid()) or not shutil.which("mmdebstrap"),
    reason="a Dockerfile's steps run in a root by mmdebstrap and chroot, as root",
)
RELEASES = ("r38", "r36", "r35", "r32")


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
    assert (release if release != "r38" else "tensorrt:25.08") in found["FROM"]
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
