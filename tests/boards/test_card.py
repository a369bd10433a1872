"""The README's commands, typed one after the other on every board, as they stand there.

`make engine BOARD=…`, `python3 -m runtime.track --video cam0` and the FPS suite run in processes of
their own, in a clone that has nothing else. Each board is recognised by its snapshot. TensorRT is
the stand-in of ``projects/nogpu``, rknn-toolkit-lite2 that of ``tests/fakes``, ncnn is real. Boards
have no engine of ONNX files, so that only a bundle runs. A film takes the place of the camera.
"""

import re
import shlex
import shutil
import subprocess
import sys

import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

import cv2

from hotpath.boards import load_board
from hotpath.runtime.networks import default_of
from hotpath_nogpu.tensorrt import machine
from tests import support
from tests.support import ROOT, board_roots, checkout, tiny

FILES = ["openvino", "onnxruntime"]  # engines that no page of a board installs
SIMULATED = {  # snapshot (None: the driver alone), version of TensorRT, capability
    "jetson_nano": ("jetson_nano_jp4", "8.2", "5.3"),
    "jetson_xavier_nx": ("jetson_xavier_nx_jp5", "8.6", "7.2"),
    "jetson_orin_nano": ("jetson_orin_nano_jp6", "10", "8.7"),
    "jetson_thor": ("jetson_thor_jp7", "11", "11.0"),  # of JetPack 7.2.2
    "nvidia_gpu": (None, "11", "9.0"),
    "raspberry_pi5": ("raspberry_pi5", None, None),
    "rk3588": ("rk3588", None, None),
    "kv260": ("kv260", None, None),
    "pynq_z2": ("pynq_z2", None, None),
}
TOOLKIT = """#!{python}
import json, shutil, sys
if sys.argv[2] == "-c":
    print("2.5.0")
else:
    request = json.load(open(sys.argv[3]))
    shutil.copy(request["model"], request["out"])
"""
boards = pytest.mark.parametrize("board", SIMULATED)


def line(page, start):
    """The command on a page that begins so, in a block or between backticks."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.search(r"(?m)(?:^ *|`)({}[^`#\n]*)".format(re.escape(start)), text)
    assert found, "{} has no command {}".format(page, start)
    return found.group(1).strip()


class Bench:
    """A clone, and boards on which its commands are typed."""

    def __init__(self, folder):
        self.folder, self.clone = folder, folder / "a clone"
        checkout.copy_to(self.clone)
        self.kernels = self.clone / "hotpath/kernels/cpu/build"
        if (ROOT / "hotpath/kernels/cpu/build").exists():
            self.kernels.symlink_to(ROOT / "hotpath/kernels/cpu/build")
        pictures, boxes = tiny.film(3, 640, 480, 60)
        self.film = folder / "film.mp4"
        writer = cv2.VideoWriter(str(self.film), cv2.VideoWriter_fourcc(*"mp4v"), 30, (640, 480))
        for picture in pictures:
            writer.write(picture)
        writer.release()
        self.box = ",".join("{:g}".format(value) for value in boxes[0])
        self.has_setup = False

    def as_computer(self):
        """Let the clone be one after `make setup`, with a stub of Rockchip's toolkit."""
        if not self.has_setup:
            if self.kernels.is_symlink():
                self.kernels.unlink()
            checkout.set_up(self.clone)
            toolkit = self.clone / ".cache" / "rknn" / "bin" / "python"
            toolkit.parent.mkdir(parents=True)
            toolkit.write_text(TOOLKIT.format(python=sys.executable))
            toolkit.chmod(0o755)
            self.has_setup = True

    def python(self, board, code=None, hidden=FILES):
        """Path of the board's python3: it runs the code in a folder, by default the clone."""
        snapshot, family, capability = SIMULATED[board]
        root = self.folder / "roots" / board
        if not root.exists() and snapshot:
            board_roots.restore(board_roots.FOLDER / (snapshot + ".snapshot"), root)
        elif not root.exists():
            (root / "proc/driver/nvidia").mkdir(parents=True)
            (root / "proc/driver/nvidia/version").write_text("NVRM version: NVIDIA UNIX 580\n")
        options = dict(family=family, capability=capability, root=str(root), hidden=hidden)
        script = self.folder / "bin" / "-".join([board, *hidden]) / "python3"
        script.parent.mkdir(parents=True, exist_ok=True)
        machine.interpreter(script, options, "'{}'".format(sys.executable))
        return script

    def type(self, words, python=None, code=0, folder=None, path=None):
        """What a command prints that ends with this code."""
        environ = checkout.readers()
        environ["OMP_NUM_THREADS"] = "1"
        if python is not None:
            places = [path or self.clone, ROOT / "tests/fakes/rknn", ROOT / "projects/fpga"]
            environ["PYTHONPATH"] = ":".join(map(str, places))
            environ["PATH"] = "{}:{}".format(python.parent, environ["PATH"])
        options = dict(cwd=str(folder or self.clone), env=environ, stderr=subprocess.STDOUT)
        done = support.run(words, timeout=300, **options)
        assert done.returncode == code, "{}\n{}".format(words, done.stdout[-3000:])
        return done.stdout

    def make(self, board, target, python, *more, code=0):
        """Type a target of the Makefile where the board's page says."""
        command = shlex.split(
            line("README.md" if target == "engine" else "docs/jetson.md", "make " + target)
        )
        words = ["BOARD=" + board if word.startswith("BOARD=") else word for word in command]
        if board.startswith("jetson"):
            return self.type([*words, "-s", "JETSON=/etc/nv_tegra_release", *more], python, code)
        self.as_computer()
        if board == "nvidia_gpu":
            return self.type([*words, "-s", "PY=python3", *more], python)
        return self.type([*words, "-s", *more])  # on a PC; its folder is copied to the board

    def track(self, python, code=0, module="runtime.track", **place):
        words = line("README.md", "python3 -m runtime.track").replace("runtime.track", module)
        words = words.replace("cam0", shlex.quote(str(self.film)))
        more = ["--box", self.box, "--frames", "2", "--no-show", "--results", "rows.csv"]
        return self.type(shlex.split(words) + more, python, code, **place)


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return Bench(tmp_path_factory.mktemp("a bench"))


def names_of(board):
    profile = load_board(board)
    return [name for name in (default_of(profile), profile.witness) if name is not None]


def build_and_track(bench, board):
    """Type the first two commands; returns the board's Python."""
    names, profile = names_of(board), load_board(board)
    precision, folder = profile.precision["default"], "engines/" + board
    shutil.rmtree(str(bench.clone / folder), ignore_errors=True)
    python = bench.python(board, hidden=[] if board == "nvidia_gpu" else FILES)
    missing = "there is no bundle {}/{}-{}; run `make engine BOARD={}`".format(
        folder, names[0], precision, board
    )
    told = bench.track(python, 0 if board == "nvidia_gpu" else 2)
    assert missing in told and ("until then lightfc and its" in told) == (board == "nvidia_gpu")
    told = bench.make(board, "engine", python)
    for name in names:
        assert "wrote {}/{}-{} ".format(folder, name, precision) in told, told
    assert "track --video cam0" in told
    assert ("copy {} to".format(folder) in told) == (profile.family in ("computer", "fpga"))
    told = bench.track(python, 2 if profile.family == "fpga" else 0)
    form = ", built today, in {} on {} ".format(precision, profile.engine)
    if profile.family == "fpga":  # and no further without a bitstream
        place = "{}/{}-{}".format(folder, names[0], precision)
        first = "{} runs from {}{}".format(names[0], place, form.rstrip())
        assert first in told and "hotpath.bit" in told
    else:
        first = "{} and its witness {} run from {}{}".format(*names, folder, form)
        assert first in told and "{} with {}: 2 frames".format(*names) in told
    assert told.startswith(first), told
    return python


@pytest.mark.pythons("what a Nano runs")
def test_a_nano_builds_and_tracks(bench):
    build_and_track(bench, "jetson_nano")


@boards
def test_the_commands_work_one_after_the_other(bench, board):
    if board == "raspberry_pi5":
        pytest.importorskip("ncnn")
        pytest.importorskip("pnnx")
    profile = load_board(board)
    if profile.family == "fpga":
        pytest.importorskip("hotpath_fpga")
    python = build_and_track(bench, board)
    if profile.family == "fpga":
        return
    quick = "--quick --frames 2"
    if profile.engine == "tensorrt" and board != "nvidia_gpu":
        told = bench.make(board, "fps", python, "ARGS=" + quick)
    else:
        told = bench.type(
            shlex.split(line("docs/arm.md", "python3 -m hotpath fps") + " " + quick), python
        )
    for name in names_of(board):
        assert re.search(
            r"\| {} +\| {} .*\| {} ".format(name, profile.precision["default"], profile.engine),
            told,
        ), told


@pytest.mark.parametrize("board", [name for name in SIMULATED if name.startswith("jetson")])
def test_what_a_stock_board_lacks_is_named_before_it_builds(bench, board):
    """JetPack has no onnx. Where a network does not ship prepared, the first lines name it."""
    python = bench.python(board, hidden=[*FILES, "onnx"])
    shutil.rmtree(str(bench.clone / "engines" / board), ignore_errors=True)
    is_shipped = board == "jetson_nano"
    told = bench.make(board, "engine", python, code=0 if is_shipped else 2)
    before = told.partition("prepared")[0]
    assert ("pip install onnx" in before) != is_shipped
    assert "pip install aiohttp" in before
    for name in names_of(board) if is_shipped else ():
        assert "wrote engines/{}/{}-fp16 ".format(board, name) in told


def test_an_installed_package_does_it_in_another_folder(bench, tmp_path):
    """Its files are those of a wheel (tests/test_setup.py): no Makefile, nothing shipped."""
    ignored = shutil.ignore_patterns("__pycache__", "shipped")
    package = tmp_path / "site-packages" / "hotpath"
    shutil.copytree(str(ROOT / "hotpath"), str(package), symlinks=True, ignore=ignored)
    place = dict(folder=tmp_path, path=package.parent)
    python = bench.python("jetson_orin_nano")
    told = bench.track(python, 2, "hotpath track", **place)
    command = "hotpath engine jetson_orin_nano"
    assert "lightfc-fp16; run `{}`".format(command) in told
    bench.type(shlex.split("python3 -m " + command), python, **place)
    told = bench.track(python, 0, "hotpath track", **place)
    assert told.startswith("lightfc and its witness kestrel run from engines/jetson_orin_nano, ")
