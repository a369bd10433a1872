"""Detect known problems of a machine's installation, and advise how to solve each.

A trap is a function of a ``Situation`` that returns None, or (sentence, command). To add one, write
the function and add it to ``TRAPS``.
"""

from typing import List, NamedTuple, Optional, Tuple

from hotpath.base import libraries
from hotpath.base.messages import PYNQ
from hotpath.boards.installed import Package, at_least
from hotpath.deploy.doctor import Situation
from hotpath.deploy.doctor.missing_packages import by_its_python

Caught = Optional[Tuple[str, str]]


class Trap(NamedTuple):
    """A trap that the installation is in."""

    sentence: str
    command: str


def traps(situation: Situation) -> List[Trap]:
    """Return the known traps that this installation is in."""
    if situation.detection.board is None:
        return []
    caught = [trapped for trapped in (trap(situation) for trap in TRAPS) if trapped]
    return [Trap(sentence, by_its_python(command, situation)) for sentence, command in caught]


def numpy_crashes_on_a57(situation: Situation) -> Caught:
    """NumPy 1.19.5's OpenBLAS takes the A57 for another core: numpy/numpy#18131."""
    numpy = situation.installed.packages.get("numpy")
    is_a57 = situation.detection.soc in ("tegra210", "tegra186")
    if not numpy or numpy.version != "1.19.5" or not is_a57:
        return None
    if situation.environ.get("OPENBLAS_CORETYPE"):
        return None
    return (
        'NumPy 1.19.5 ends with "Illegal instruction" on this processor (numpy/numpy#18131)',
        "echo 'export OPENBLAS_CORETYPE=ARMV8' >> ~/.bashrc && . ~/.bashrc",
    )


def tensorrt_is_too_old(situation: Situation) -> Caught:
    """Bundles need TensorRT 8.2; JetPack 4.4 to 4.6 have 7.1 and 8.0."""
    tensorrt = situation.installed.packages.get("tensorrt")
    if not tensorrt or at_least(tensorrt.version, (8, 2)):
        return None
    return (
        f"TensorRT {tensorrt.version} can't build bundles, which takes 8.2 or newer",
        "flash JetPack 4.6.1 or newer with NVIDIA's SDK Manager",
    )


def dla_compiler_is_absent(situation: Situation) -> Caught:
    """TensorRT before 10.16 needs libnvdla_compiler.so on Xavier and Orin."""
    tensorrt = situation.installed.packages.get("tensorrt")
    state = situation.installed.dla_compiler
    if not tensorrt or state == "present" or at_least(tensorrt.version, (10, 16)):
        return None
    if situation.detection.soc not in ("tegra194", "tegra234"):
        return None
    here = "empty" if state == "empty" else "not there"
    sentence = f'import tensorrt fails with "ImportError: libnvdla_compiler.so": the file is {here}'
    release = situation.detection.l4t
    if at_least(release, (39,)):
        sentence += "; JetPack 7.2 dropped it, and only its own TensorRT 10.16 does without"
        return sentence, "sudo apt-get install --reinstall python3-libnvinfer"
    if at_least(release, (36,)):
        return sentence, "sudo apt-get install nvidia-l4t-dla-compiler"
    return sentence, "sudo apt-get install --reinstall nvidia-l4t-core"


def tensorrt_is_another_pythons(situation: Situation) -> Caught:
    """JetPack has a TensorRT binding only for the system's Python."""
    installed = situation.installed
    other = installed.elsewhere.get("tensorrt")
    if "tensorrt" in installed.packages or not other:
        return None
    version = other.python or situation.detection.software.get("python", "3")
    return (
        f"TensorRT {other.version} is there, but for Python {version}, and this is "
        f"{installed.python}",
        f"/usr/bin/python{version} -m venv --system-site-packages ~/hotpath-venv",
    )


def opencv_hides_jetpacks(situation: Situation) -> Caught:
    """OpenCV from pip hides JetPack's, and has no GStreamer, which CSI cameras need."""
    opencv = situation.installed.packages.get("cv2")
    board = situation.detection.board
    is_jetson = board is not None and board.family == "jetson"
    if not is_jetson or not opencv or opencv.by != "pip":
        return None
    return (
        f"{opencv.distribution} from pip has no GStreamer: CSI cameras can't be opened with it",
        f"python3 -m pip uninstall {opencv.distribution} && sudo apt-get install libopencv-python",
    )


def libraries_do_not_load(situation: Situation) -> Caught:
    """What a library lacks, such as a desktop's libraries for OpenCV, or a NumPy of its time."""
    for name, (why, command) in situation.broken.items():
        return f"{name} does not work ({why}); {libraries.desktop_advice(why)}run:", command
    return None


def _of_pynq(situation: Situation, name: str) -> Optional[Package]:
    """A package of PYNQ's environment, whether this Python is that environment's or not."""
    installed = situation.installed
    return installed.packages.get(name) or installed.elsewhere.get(name)


def pynq_is_not_started(situation: Situation) -> Caught:
    """PYNQ is in its own environment and needs XILINX_XRT: see ``hotpath.boards.pynq``."""
    board, installed = situation.detection.board, situation.installed
    if board is None or board.engine != "overlay" or not _of_pynq(situation, "pynq"):
        return None
    if "pynq" not in installed.packages:
        return "this Python can't import PYNQ, which has its own Python", PYNQ + " boards"
    if "XILINX_XRT" not in situation.environ:
        return "PYNQ finds no FPGA, because XILINX_XRT is not set", PYNQ + " boards"
    return None


def pynq_needs_an_older_pycparser(situation: Situation) -> Caught:
    """pycparser 3 breaks the import of ``pynq.lib.dma`` in 3.0 and 3.1, and of all of 2.7."""
    pynq, pycparser = _of_pynq(situation, "pynq"), _of_pynq(situation, "pycparser")
    if not pynq or at_least(pynq.version, (4,)):
        return None
    if not pycparser or not at_least(pycparser.version, (3,)):
        return None
    return (
        f"pynq {pynq.version} can't import its DMA driver with pycparser {pycparser.version}",
        PYNQ + " pip install 'pycparser<3'",
    )


def pynq_4_fails_on_zynq_7000(situation: Situation) -> Caught:
    """Its Clocks multiply a None there: ``Overlay()`` ends in a TypeError."""
    pynq = _of_pynq(situation, "pynq")
    if situation.detection.soc != "zynq-7000" or not pynq or not at_least(pynq.version, (4,)):
        return None
    return (
        f"pynq {pynq.version} can't load an overlay on a Zynq-7000 (TypeError in Clocks)",
        PYNQ + " pip install pynq==3.1.2",
    )


def software_is_not_known(situation: Situation) -> Caught:
    """The board's profile does not list this L4T release."""
    detection = situation.detection
    board = detection.board
    if detection.family or not detection.l4t or board is None or not board.software:
        return None
    releases = ", ".join(f"JetPack {n} (L4T {v['l4t']})" for n, v in board.software.items())
    return (
        f"L4T {detection.l4t} is not among the releases that are known to work: {releases}",
        "flash one of them with NVIDIA's SDK Manager, or go on and report how it went",
    )


TRAPS = (
    software_is_not_known,
    pynq_is_not_started,
    tensorrt_is_too_old,
    dla_compiler_is_absent,
    tensorrt_is_another_pythons,
    numpy_crashes_on_a57,
    opencv_hides_jetpacks,
    libraries_do_not_load,
    pynq_needs_an_older_pycparser,
    pynq_4_fails_on_zynq_7000,
)
