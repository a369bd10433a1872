"""List the missing packages of a machine, in the order in which to install them.

What a board needs follows from its profile's engine. For those that take more than one command
there is a function in ``NEEDS``; every other engine states its libraries and their command itself
(``hotpath.runtime.engines.base``).
"""

import os
import pathlib
import shlex
import sys
from typing import Callable, Dict, List, NamedTuple

from hotpath.base.messages import PYNQ, make_command
from hotpath.boards import NVIDIA, installed
from hotpath.deploy.doctor import Situation

ALTERNATIVES = {"openvino": ("openvino", "onnxruntime")}  # one of them is enough
JETPACK = "sudo apt-get update && sudo apt-get install nvidia-jetpack"
ENVIRONMENT = "~/" + installed.ENVIRONMENT
_PIP = "python3 -m pip install "
SHIPPED = pathlib.Path(__file__).resolve().parents[1] / "bundles" / "shipped"
CHECKOUT = os.path.abspath(os.path.join(os.path.realpath(__file__), *[os.pardir] * 4))


class MissingPackage(NamedTuple):
    """A package that is not installed."""

    name: str
    why: str  # what it is for
    command: str  # installs it


def missing_packages(situation: Situation) -> List[MissingPackage]:
    """Return what must still be installed."""
    board = situation.detection.board
    if board is None:
        return []
    needs = NEEDS.get(board.engine, _for_computer)(situation)
    here = dict(situation.installed.packages)
    if board.engine == "overlay":  # PYNQ's environment has them
        here.update(situation.installed.elsewhere)
    lacking = [
        entry
        for entry in needs
        if not any(name in here for name in ALTERNATIVES.get(entry.name, (entry.name,)))
    ]
    by_pip = [number for number, entry in enumerate(lacking) if _PIP in entry.command]
    if lacking and situation.installed.is_other and python_of(situation) != "python3":
        return [
            MissingPackage(
                "environment", "has the packages", f"{ENVIRONMENT}/bin/python -m hotpath boards"
            )
        ]
    if by_pip and situation.installed.managed and not situation.installed.environment:
        lacking[by_pip[0] : by_pip[0]] = _environment()
    elif by_pip and "pip" not in here:  # JetPack's images come without pip
        lacking.insert(
            0, MissingPackage("pip", "installs the rest", "sudo apt-get install python3-pip")
        )
    return [entry._replace(command=by_its_python(entry.command, situation)) for entry in lacking]


def python_of(situation: Situation) -> str:
    """The Python of all commands: the environment's where there must be one, else ``python3``."""
    system, board = situation.installed, situation.detection.board
    takes_none = board is None or board.engine in ALTERNATIVES or board.family == NVIDIA  # .venv
    needs = (system.managed or system.environment) and not takes_none
    return f"{ENVIRONMENT}/bin/python" if needs else "python3"


def by_its_python(command: str, situation: Situation) -> str:
    """The command, with pip by the Python of all commands."""
    return command.replace("python3 -m pip", python_of(situation) + " -m pip")


def install_commands(situation: Situation) -> List[str]:
    """Return the commands that install what is missing, each of them once."""
    lines: List[str] = []
    for entry in missing_packages(situation):
        if entry.command not in lines:
            lines.append(entry.command)
    return lines


def pip_install(requirements: str) -> str:
    """Return the command that installs requirements, which are separated by spaces."""
    return _PIP + " ".join(shlex.quote(requirement) for requirement in requirements.split())


def _environment() -> List[MissingPackage]:
    """Return what an environment needs that sees the system's packages."""
    command = f"python3 -m venv --system-site-packages {ENVIRONMENT}"
    return [
        MissingPackage("venv", "makes environments", "sudo apt-get install python3-venv"),
        MissingPackage("environment", "pip installs only there", command),
    ]


def gpu_arrays(situation: Situation) -> MissingPackage:
    """Return the library that launches the GPU's kernels, as the board's profile names it."""
    board, software = situation.detection.board, situation.detection.software
    if not software and board is not None:  # a release that is not known: as the newest one
        software = list(board.software.values() or [{}])[-1]
    arrays = software.get("gpu_arrays", "")
    if not arrays:
        place = board.path if board is not None else "the board's profile"
        how = f'name what pip installs in {place}, under [software]: gpu_arrays = "cupy-cuda12x"'
        return MissingPackage("gpu_arrays", "launches the GPU kernels", how)
    if not arrays.startswith("pycuda"):
        return MissingPackage("cupy", "launches the GPU kernels", pip_install(arrays))
    # PyCUDA is compiled on the board, with nvcc, by its setup.py and for the NumPy that is here.
    # Else pip from 10 on first compiles the older NumPy of PyCUDA's pyproject.toml (no ARM wheel),
    # or fails with Ubuntu 18.04's setuptools. pip 9 ignores both variables; 0 means no isolation.
    command = "PIP_USE_PEP517=0 PIP_NO_BUILD_ISOLATION=0 PATH=/usr/local/cuda/bin:$PATH "
    command += pip_install(arrays)
    return MissingPackage("pycuda", "launches the GPU kernels", command)


def _for_tensorrt(situation: Situation) -> List[MissingPackage]:
    board = situation.detection.board
    if board is not None and board.family == NVIDIA:
        setup = _setup(ALSO="nvidia")
        return [
            MissingPackage("numpy", "arrays", setup),
            MissingPackage("cv2", "reads cameras and files", setup),
            MissingPackage("onnx", "reads networks", setup),
            MissingPackage("tensorrt", "runs the networks (2 GB)", setup),
            MissingPackage("cupy", "launches the GPU kernels", setup),
        ]
    has_library = any(name.startswith("libnvinfer") for name in situation.installed.debian)
    binding = "sudo apt-get install python3-libnvinfer" if has_library else JETPACK
    return [
        MissingPackage("tensorrt", "runs the networks", binding),
        MissingPackage("cv2", "reads cameras and files", "sudo apt-get install libopencv-python"),
        MissingPackage("numpy", "arrays", "sudo apt-get install python3-numpy"),
        gpu_arrays(situation),
        *_onnx(situation),
        MissingPackage("aiohttp", "shows the page (--page)", pip_install("aiohttp")),
    ]


def _onnx(situation: Situation) -> List[MissingPackage]:
    """Return what prepares the board's networks on the board, where they do not ship prepared."""
    board, python = situation.detection.board, situation.installed.python or ""
    try:
        from hotpath.runtime.networks import default_of
    except ImportError:  # NumPy comes first
        return []
    names = [default_of(board), board and board.witness]
    if all(name is None or (SHIPPED / name).is_dir() for name in names):
        return []
    if tuple(map(int, python.split(".")[:2])) < (3, 8):  # no wheel: a computer prepares them
        return []
    return [MissingPackage("onnx", "prepares the networks", pip_install("onnx numpy<2"))]


def _for_overlay(situation: Situation) -> List[MissingPackage]:
    board = situation.detection.board
    image = "write PYNQ's image for this board to the SD card (pynq.io)"
    if board is not None and board.name == "kv260":
        image = "sudo bash install.sh, of Xilinx/Kria-PYNQ"
    return [
        MissingPackage("pynq", "loads the overlay", image),
        MissingPackage("numpy", "arrays", PYNQ + " pip install numpy"),
        MissingPackage("cv2", "reads cameras and files", "sudo apt-get install python3-opencv"),
    ]


def own_python(checkout: str = CHECKOUT) -> str:
    """Return the Python that ``make setup`` made, or ``python3`` where it did not run."""
    python = os.path.join(".venv", "bin", "python")
    return python if os.path.exists(os.path.join(checkout, python)) else "python3"


def _setup(checkout: str = CHECKOUT, **more: str) -> str:
    """Return the command that makes ``.venv``, or this one in it where it is made."""
    is_other = os.path.realpath(sys.prefix) != os.path.realpath(os.path.join(checkout, ".venv"))
    python = own_python(checkout)
    return (
        python + " -m hotpath boards"
        if is_other and python != "python3"
        else make_command("setup", **more)
    )


def _for_computer(situation: Situation) -> List[MissingPackage]:
    setup = _setup()
    needs = [
        MissingPackage("numpy", "arrays", setup),
        MissingPackage("cv2", "reads cameras and files", setup),
    ]
    board = situation.detection.board
    name = board.engine if board is not None else "openvino"
    if name in ALTERNATIVES:
        return needs + [MissingPackage(name, "or onnxruntime: runs the networks", setup)]
    try:
        from hotpath.runtime import engines
    except ImportError:  # NumPy and OpenCV come first; the doctor runs without them
        return needs
    if name not in engines.names():
        return needs
    engine = engines.find(name)
    lacking = () if engine.is_installed() else engine.libraries
    return needs + [
        MissingPackage(module, "runs the networks", engine.install_command()) for module in lacking
    ]


NEEDS: Dict[str, Callable[[Situation], List[MissingPackage]]] = {
    "tensorrt": _for_tensorrt,
    "overlay": _for_overlay,
}
