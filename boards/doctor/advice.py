"""What a board lacks for this software, which known traps its installation is in, and the way out.

A trap is a function of a ``Situation``; it gives None, or (sentence, command). To add one, write
the function and put it in ``TRAPS``.
"""

from collections import namedtuple

from boards.doctor.installed import at_least, minor

# environ: of the shell that asks; it matters to libraries, not to this program
Situation = namedtuple("Situation", "detection installed environ")
Missing = namedtuple("Missing", "name why command")
Trap = namedtuple("Trap", "sentence command")

ALTERNATIVES = {"openvino": ("openvino", "onnxruntime")}  # one of them is enough
_PIP = "python3 -m pip install "
JETPACK = "sudo apt-get update && sudo apt-get install nvidia-jetpack"


def missing(situation):
    """What must still be installed, in the order in which to install it: list of ``Missing``."""
    board = situation.detection.board
    if board is None:
        return []
    wanted = {"tensorrt": _for_tensorrt, "overlay": _for_overlay}.get(board.engine, _for_host)
    here = situation.installed.packages
    lacking = [
        entry
        for entry in wanted(situation)
        if not any(name in here for name in ALTERNATIVES.get(entry.name, (entry.name,)))
    ]
    if not at_least(situation.installed.python, (3, 11)) and "tomli" not in here:
        lacking.append(Missing("tomli", "reads the TOML files", _pip("tomli")))
    # JetPack's images come without pip
    if "pip" not in here and any(_PIP in entry.command for entry in lacking):
        lacking.insert(0, Missing("pip", "installs the rest", "sudo apt-get install python3-pip"))
    return lacking


def traps(situation):
    """The known traps that this installation is in: list of ``Trap``."""
    if situation.detection.board is None:
        return []
    return [Trap(*caught) for caught in (trap(situation) for trap in TRAPS) if caught]


def _for_tensorrt(situation):
    arrays = situation.detection.software.get("gpu_arrays", "cupy-cuda12x")
    library = "pycuda" if arrays.startswith("pycuda") else "cupy"
    # PyCUDA is compiled on the board and needs nvcc for that
    before = "PATH=/usr/local/cuda/bin:$PATH " if library == "pycuda" else ""
    binding = "python3-libnvinfer"
    has_library = any(name.startswith("libnvinfer") for name in situation.installed.debian)
    return [
        Missing("tensorrt", "runs the networks",
                "sudo apt-get install " + binding if has_library else JETPACK),
        Missing("cv2", "reads cameras and files", "sudo apt-get install libopencv-python"),
        Missing("numpy", "arrays", "sudo apt-get install python3-numpy"),
        Missing(library, "launches the GPU kernels", before + _pip(arrays)),
    ]  # fmt: skip


def _for_overlay(situation):
    return [
        Missing("pynq", "loads the overlay", "sudo bash install.sh, of Xilinx/Kria-PYNQ"
                if situation.detection.board.name == "kv260"
                else "write PYNQ's image for this board to the SD card (pynq.io)"),
        Missing("numpy", "arrays", _pip("numpy")),
        Missing("cv2", "reads cameras and files", "sudo apt-get install python3-opencv"),
    ]  # fmt: skip


def _for_host(situation):
    return [
        Missing("numpy", "arrays", "make setup"),
        Missing("cv2", "reads cameras and files", "make setup"),
        Missing("openvino", "or onnxruntime: runs the networks", "make setup"),
    ]


def _pip(what):
    quoted = '"{}"'.format(what) if set(what) & set("<>=") else what
    return _PIP + quoted


def numpy_crashes_on_a57(situation):
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


def dla_compiler_is_absent(situation):
    """TensorRT before 10.16 needs libnvdla_compiler.so on Xavier and Orin."""
    tensorrt = situation.installed.packages.get("tensorrt")
    state = situation.installed.dla_compiler
    if not tensorrt or state == "present" or at_least(tensorrt.version, (10, 16)):
        return None
    if situation.detection.soc not in ("tegra194", "tegra234"):
        return None
    sentence = (
        'import tensorrt fails with "ImportError: libnvdla_compiler.so": the file is {}'.format(
            "empty" if state == "empty" else "not there"
        )
    )
    release = situation.detection.l4t
    if at_least(release, (39,)):
        sentence += "; JetPack 7.2 dropped it, and only its own TensorRT 10.16 does without"
        return sentence, "sudo apt-get install --reinstall python3-libnvinfer"
    if at_least(release, (36,)):
        return sentence, "sudo apt-get install nvidia-l4t-dla-compiler"
    return sentence, "sudo apt-get install --reinstall nvidia-l4t-core"


def tensorrt_is_another_pythons(situation):
    """JetPack's TensorRT binding exists for the system's Python alone."""
    installed = situation.installed
    other = installed.elsewhere.get("tensorrt")
    if "tensorrt" in installed.packages or not other:
        return None
    version = other.python or situation.detection.software.get("python", "3")
    return (
        "TensorRT {} is there, but for Python {}, and this is {}".format(
            other.version, version, installed.python
        ),
        "/usr/bin/python{} -m venv --system-site-packages ~/hotpath-venv".format(version),
    )


def cupy_has_no_build(situation):
    """No CuPy wheel for Python 3.6 on aarch64 was ever made; the last source is half an hour."""
    wants_pycuda = situation.detection.software.get("gpu_arrays", "").startswith("pycuda")
    python = minor(situation.installed.python)
    packages = situation.installed.packages
    if not wants_pycuda or python != "3.6" or "pycuda" in packages:
        return None
    return (
        "CuPy has no build for Python 3.6 on a Jetson; the kernels go through PyCUDA here",
        _for_tensorrt(situation)[-1].command,
    )


def opencv_hides_jetpacks(situation):
    """A wheel of OpenCV has no GStreamer, so no CSI camera, and it comes before JetPack's."""
    opencv = situation.installed.packages.get("cv2")
    if situation.detection.board.family != "jetson" or not opencv or opencv.by != "pip":
        return None
    return (
        "{} from pip has no GStreamer: CSI cameras can't be opened with it".format(
            opencv.distribution
        ),
        "python3 -m pip uninstall {} && sudo apt-get install libopencv-python".format(
            opencv.distribution
        ),
    )


def numpy_2_breaks_jetpacks_opencv(situation):
    """JetPack up to 6 builds OpenCV against NumPy 1."""
    packages = situation.installed.packages
    numpy, opencv = packages.get("numpy"), packages.get("cv2")
    if not numpy or not opencv or opencv.by != "apt" or not at_least(numpy.version, (2,)):
        return None
    if not situation.detection.l4t or at_least(situation.detection.l4t, (38,)):
        return None
    return (
        "NumPy {} can't load JetPack's OpenCV, which was built for NumPy 1".format(numpy.version),
        _pip("numpy<2"),
    )


def pynq_needs_an_older_pycparser(situation):
    """``pynq.lib.dma`` of 3.0 and 3.1, and all of 2.7, fail to import with pycparser 3."""
    packages = situation.installed.packages
    pynq, pycparser = packages.get("pynq"), packages.get("pycparser")
    if not pynq or at_least(pynq.version, (4,)):
        return None
    if not pycparser or not at_least(pycparser.version, (3,)):
        return None
    return (
        "pynq {} can't import its DMA driver with pycparser {}".format(
            pynq.version, pycparser.version
        ),
        _pip("pycparser<3"),
    )


def pynq_4_fails_on_zynq_7000(situation):
    """Its Clocks multiply a None there: ``Overlay()`` ends in a TypeError."""
    pynq = situation.installed.packages.get("pynq")
    if situation.detection.soc != "zynq-7000" or not pynq or not at_least(pynq.version, (4,)):
        return None
    return (
        "pynq {} can't load an overlay on a Zynq-7000 (TypeError in Clocks)".format(pynq.version),
        _pip("pynq==3.0.1"),
    )


def software_is_not_known(situation):
    """A release that the board's TOML has no family for."""
    detection = situation.detection
    if detection.family or not detection.l4t or not detection.board.software:
        return None
    known = ["JetPack {} (L4T {})".format(n, v["l4t"]) for n, v in detection.board.software.items()]
    return (
        "L4T {} is none of the releases known to work: {}".format(detection.l4t, ", ".join(known)),
        "flash one of them with NVIDIA's SDK Manager, or go on and tell us",
    )


TRAPS = (
    software_is_not_known,
    dla_compiler_is_absent,
    tensorrt_is_another_pythons,
    numpy_crashes_on_a57,
    numpy_2_breaks_jetpacks_opencv,
    opencv_hides_jetpacks,
    cupy_has_no_build,
    pynq_needs_an_older_pycparser,
    pynq_4_fails_on_zynq_7000,
)
