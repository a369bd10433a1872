"""Simulate a board on this computer: a fake TensorRT, a driver, and a device in host memory.

``FakeBoard`` does so in the process of a test, and ``interpreter`` in every process of a Python.
"""

import contextlib
import importlib.util
import json
import os
import sys
import types

import numpy as np

from hotpath.base.errors import NotOnGpu
from hotpath.boards import detect, installed, load_board
from hotpath.boards.files import Root
from hotpath.kernels import golden
from hotpath.kernels.cuda import compile as compiler
from hotpath.kernels.cuda import device, driver
from hotpath_nogpu.tensorrt import fake

DETECT = detect.detect
BY_ONNX = "assemble", "convert", "cut", "batch", "models"  # files that import onnx


class FakeDriver:
    """The functions of libcuda.so.1 that ``hotpath.kernels.cuda.driver`` calls."""

    def __init__(self, capability="5.3", cu_init=0):
        self.capability = [int(number) for number in capability.split(".")]
        self.cu_init = cu_init

    def cuInit(self, flags):
        return self.cu_init

    def cuDeviceGet(self, handle, index):
        return 0

    def cuDeviceGetName(self, name, size, handle):
        name.value = b"Tegra X1"
        return 0

    def cuDeviceGetAttribute(self, number, attribute, handle):
        number._obj.value = self.capability[{75: 0, 76: 1}[attribute]]
        return 0

    def cuDriverGetVersion(self, number):
        number._obj.value = 10020
        return 0

    def cuGetErrorString(self, error, words):
        words._obj.value = {100: b"no CUDA-capable device is detected"}.get(error, b"unknown")
        return 0


class HostDevice:
    """A ``hotpath.kernels.cuda.device`` with host addresses and the kernels of
    ``hotpath.kernels.golden``."""

    name = "host"
    free = event = record = follow = lambda self, *given: None  # no test here needs them

    current = contextlib.ExitStack  # does nothing

    def __init__(self, capability=53):
        names = "allocations launches synchronisations uploads downloads".split()
        self.counters = types.SimpleNamespace(**dict.fromkeys(names, 0))  # of each kind of call
        self.capability = capability
        self.driver_version = 10020
        self._memory = {}
        self.closed = False

    def alloc(self, size):
        memory = np.full(int(size) + 256, 0xFF, np.uint8)  # NaN until it is written
        skipped = -memory.ctypes.data % 256
        array = memory[skipped : skipped + int(size)]
        self._memory[array.ctypes.data] = array
        self.counters.allocations += 1
        return array.ctypes.data

    def pinned(self, size, upload=False):
        self.counters.allocations += 1
        return np.zeros(int(size), np.uint8)

    def stream(self):
        return "stream"

    def handle(self, stream):
        return 77

    def upload(self, address, array, stream):
        memory = self._memory[address]
        memory[: array.nbytes] = array.reshape(-1).view(np.uint8)
        self.counters.uploads += 1

    def download(self, array, address, stream):
        array.reshape(-1).view(np.uint8)[:] = self._memory[address][: array.nbytes]
        self.counters.downloads += 1

    def synchronise(self, stream):
        self.counters.synchronisations += 1

    def module(self, path):
        return path

    def kernel(self, module, name):
        if name != "hp_correlate_depthwise":
            raise NotOnGpu(f"this device has no {name}")
        return self._depthwise

    def launch(self, kernel, grid, block, arguments, stream, shared=0):
        self.counters.launches += 1
        kernel(grid, block, shared, *[int(argument) for argument in arguments])

    def close(self):
        self.closed = True

    def _depthwise(
        self, grid, block, shared, search, exemplar, rows, columns, h, w, padding, half, out
    ):
        _, channels, count = grid
        region = self._numbers(search, (channels, rows, columns), half)
        kernels = self._numbers(exemplar, (count, channels, h, w), half)
        found = np.stack([golden.correlate_depthwise(k, region, padding) for k in kernels])
        if grid[0] * block[0] < found[0, 0].size or shared != 4 * h * w:
            raise AssertionError("the grid does not cover the output")
        self._numbers(out, found.shape, half)[:] = found

    def _numbers(self, address, shape, half):
        return self.numbers(address, shape, np.float16 if half else np.float32)

    def numbers(self, address, shape, kind):
        """The memory at an address, as an array."""
        kind = np.dtype(kind)
        for start, memory in self._memory.items():
            if start <= address < start + memory.size:
                part = memory[address - start :][: kind.itemsize * int(np.prod(shape))]
                return part.view(kind).reshape(shape)
        raise AssertionError("no memory at that address")


class FakeBoard:
    """Makes this computer appear as a board, until ``leave``; family: None for no TensorRT."""

    def __init__(self, family, capability="5.3", cu_init=0):
        self.machine = fake.FakeMachine(capability)
        self.driver = FakeDriver(capability, cu_init)
        self.devices = []
        self._before = sys.modules.get("tensorrt")
        self._kept = driver.load, device.open_device, compiler.binary
        self._detect = detect.detect
        driver.load = lambda: self.driver
        device.open_device = self._open
        compiler.binary = lambda path, capability, driver_version: path
        if family is not None:
            self.trt = sys.modules["tensorrt"] = fake.make(family, self.machine)

    def _open(self, library="auto", index=0):
        self.devices.append(HostDevice(int(self.machine.capability.replace(".", ""))))
        return self.devices[-1]

    def be(self, name):
        """Let detection find the board of that name."""
        found = detect.Detection()
        found.board = load_board(name)
        detect.detect = lambda root="/": found

    def leave(self):
        """Make the computer appear as itself again."""
        detect.detect = self._detect
        driver.load, device.open_device, compiler.binary = self._kept
        sys.modules.pop("tensorrt", None)
        if self._before is not None:
            sys.modules["tensorrt"] = self._before


def play():
    """Simulate the board that the variable FAKE_BOARD describes, until this process ends.

    It is JSON: the family of TensorRT (null for none), the GPU's capability, and the board's name,
    or the root of a board's files and the libraries that this board lacks (``hidden``).
    """
    options = json.loads(os.environ.get("FAKE_BOARD") or "{}")
    if options.get("family", "8.2") is not None:
        board = FakeBoard(options.get("family", "8.2"), options.get("capability", "5.3"))
        board.be(options.get("board", "jetson_nano"))
        exists = os.path.exists
        os.path.exists = lambda path: path in SIGNS or exists(path)
    if "root" in options:
        be_at(options["root"], options.get("hidden", ()))


SIGNS = "/proc/device-tree", "/proc/driver/nvidia/version", "/etc/nv_tegra_release"


def be_at(root, hidden=()):
    """Recognise the board from its files below a root, and find none of the hidden libraries."""
    look, exists, find_spec = installed.find_installed, os.path.exists, importlib.util.find_spec

    def files(given):
        return Root(root) if str(getattr(given, "folder", given)) == "/" else given

    detect.detect = lambda given="/": DETECT(files(given))
    installed.find_installed = lambda given: look(files(given))
    os.path.exists = lambda path: exists(root + path if path in SIGNS else path)
    importlib.util.find_spec = lambda name, package=None: (
        None if name in hidden else find_spec(name, package)
    )
    if "onnx" in hidden:  # but for the stand-in itself, which reads models with it
        sys.modules.update(dict.fromkeys(map("hotpath.graphs.{}".format, BY_ONNX)))


def interpreter(path, options, python=sys.executable):
    """Write a script that starts Python on a simulated board; options: see ``play``."""
    site = os.path.join(os.path.dirname(os.path.abspath(__file__)), "site")
    path.write_text(
        "#!/bin/sh\n"
        f"export FAKE_BOARD='{json.dumps(options)}'\n"
        f'export PYTHONPATH="{site}:$PYTHONPATH"\n'
        f'exec {python} "$@"\n'
    )
    path.chmod(0o755)
