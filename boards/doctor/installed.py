"""What software a board has: Python, its packages, CUDA, Debian packages; nothing is imported."""

import os
import platform
import re
import sys
from collections import namedtuple

STATUS = "var/lib/dpkg/status"
CUDA = "usr/local/cuda"
DLA_COMPILER = "libnvdla_compiler.so"
LIBRARY_FOLDERS = (
    "usr/lib/aarch64-linux-gnu/tegra",
    "usr/lib/aarch64-linux-gnu/nvidia",
    "usr/lib/aarch64-linux-gnu",
)

# What is imported -> the distributions that bring it ("cupy-cuda*": any that begins so), and the
# Debian packages that do.
PACKAGES = {
    "numpy": (("numpy",), ("python3-numpy",)),
    "cv2": (
        (
            "opencv-python",
            "opencv-python-headless",
            "opencv-contrib-python",
            "opencv-contrib-python-headless",
        ),
        ("libopencv-python", "python3-opencv"),
    ),
    "tensorrt": (("tensorrt",), ("python3-libnvinfer",)),
    "cupy": (("cupy", "cupy-cuda*"), ()),
    "pycuda": (("pycuda",), ("python3-pycuda",)),
    "pynq": (("pynq",), ()),
    "openvino": (("openvino",), ()),
    "onnxruntime": (("onnxruntime", "onnxruntime-gpu"), ()),
    "onnx": (("onnx",), ()),
    "pycparser": (("pycparser",), ()),
    "pip": (("pip",), ("python3-pip",)),
    "tomli": (("tomli",), ()),
    "tqdm": (("tqdm",), ("python3-tqdm",)),
}
DEBIAN = ("nvidia-l4t-core", "nvidia-jetpack", "nvidia-l4t-dla-compiler") + tuple(
    "libnvinfer{}".format(major) for major in (7, 8, 10)
)

# Where a board's own Python keeps packages, the first that has one wins.
FOLDERS = (
    "usr/local/share/pynq-venv/lib/python3*/site-packages",
    "usr/local/lib/python3*/dist-packages",
    "usr/lib/python3*/dist-packages",
    "usr/lib/python3*/site-packages",
)

# by: "pip" or "apt"; python: "3.6" of the folder that holds it, None for any of the system's
Package = namedtuple("Package", "version by python distribution")


class Installed:
    """What ``look`` found.

    Attributes:
        python: version of this Python, or of the board's own under another root; None for none.
        packages: dict of import name -> ``Package`` that this Python can import.
        elsewhere: dict of import name -> ``Package`` of another Python's.
        debian: dict of Debian package -> version.
        cuda: version of the toolkit, or None.
        dla_compiler: "present", "absent", or "empty": the state of libnvdla_compiler.so.
    """

    def __init__(self):
        self.python = None
        self.packages, self.elsewhere, self.debian = {}, {}, {}
        self.cuda = None
        self.dla_compiler = "absent"


def look(root):
    """Everything that is installed under a ``boards.files.Root``, as an ``Installed``."""
    found = Installed()
    found.python = _python(root)
    wanted = set(DEBIAN)
    for _, debian in PACKAGES.values():
        wanted.update(debian)
    found.debian = _debian(root, wanted)
    _look_for_packages(root, found)
    found.cuda = _cuda(root)
    sizes = [root.size(folder + "/" + DLA_COMPILER) for folder in LIBRARY_FOLDERS]
    present = [size for size in sizes if size is not None]
    # A container's placeholder for the host's library is an empty file.
    if present:
        found.dla_compiler = "present" if any(present) else "empty"
    return found


def _python(root):
    if root.is_this_computer:
        root.note("usr/bin/python{}.{}".format(*sys.version_info[:2]))
        return platform.python_version()
    try:
        target = os.path.basename(os.readlink(root.path("usr/bin/python3")))
    except OSError:
        target = ""
    names = [target] + [name for name in root.list("usr/bin") if name.startswith("python3.")]
    versions = [name[len("python") :] for name in names if re.match(r"python3\.\d+$", name)]
    if not versions:
        return None
    root.note("usr/bin/python" + versions[0])
    return versions[0]


def minor(version):
    """ "3.6" of "3.6.9"; None for None."""
    return ".".join(version.split(".")[:2]) if version else None


def at_least(version, wanted):
    """Whether a version such as "10.3.0.26" is at least (10, 3), number by number."""
    numbers = [int(part) for part in re.findall(r"\d+", version or "")]
    return tuple(numbers[: len(wanted)]) >= tuple(wanted)


def _look_for_packages(root, found):
    for module, (distributions, debian) in PACKAGES.items():
        for package, is_ours in _candidates(root, module, distributions, debian, found):
            (found.packages if is_ours else found.elsewhere).setdefault(module, package)
    for packages in (found.packages, found.elsewhere):
        for package in packages.values():
            _note(root, package, minor(found.python))


def _candidates(root, module, distributions, debian, found):
    """(package, whether this Python finds it), in the order in which Pythons look."""
    apt = next((name for name in debian if name in found.debian), None)
    for folder, python, is_ours in _folders(root, minor(found.python)):
        by = "apt" if "/usr/lib/python3" in folder else "pip"
        names = _listed(folder)
        for name in names:
            match = re.match(r"(.+?)-(\d[^-]*)(?:-py3.*)?\.(?:dist|egg)-info$", name)
            distribution = match and re.sub(r"[-_.]+", "-", match.group(1)).lower()
            if match and _is_one_of(distribution, distributions + debian):
                yield Package(match.group(2), by, python, distribution), is_ours
                break
        else:
            # JetPack's OpenCV is a bare folder without any word of its version.
            if apt and module in names:
                yield Package(found.debian[apt].split("-")[0], by, python, apt), is_ours


def _folders(root, here):
    """(absolute folder, version of the Python that looks there, whether this Python does)."""
    if root.is_this_computer:
        for folder in sys.path:
            if folder and os.path.isdir(folder):
                yield folder, here, True
    for pattern in FOLDERS:
        for folder in root.glob(pattern):
            match = re.search(r"python(3\.\d+)", folder)
            python = match.group(1) if match else None
            is_ours = not root.is_this_computer and python in (None, here)
            if root.path(folder) not in sys.path or not root.is_this_computer:
                yield root.path(folder), python, is_ours


def _listed(folder):
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _is_one_of(distribution, wanted):
    return any(
        distribution == name or (name.endswith("*") and distribution.startswith(name[:-1]))
        for name in wanted
    )


def _note(root, package, here):
    """Stand-in for the package in a snapshot, at the place where a board's own Python has it.

    Where it really lies may tell a user's name.
    """
    where = "usr/lib" if package.by == "apt" else "usr/local/lib"
    name = package.distribution.replace("-", "_")
    root.note(
        "{}/python{}/dist-packages/{}-{}.dist-info/METADATA".format(
            where, package.python or here, name, package.version
        )
    )


def _debian(root, wanted):
    """dict of package -> version of those wanted Debian packages that are installed."""

    def keep(text):
        stanzas = []
        for stanza in text.split("\n\n"):
            fields = dict(
                line.split(": ", 1)
                for line in stanza.split("\n")
                if line.startswith(("Package: ", "Status: ", "Version: "))
            )
            if fields.get("Package") in wanted and fields.get("Status", "").endswith(" installed"):
                order = ("Package", "Status", "Version")
                stanzas.append("\n".join("{}: {}".format(key, fields[key]) for key in order))
        return "\n\n".join(stanzas)

    text = root.text(STATUS, keep=keep) or ""
    return dict(re.findall(r"Package: (\S+)\nStatus: [^\n]*\nVersion: (\S+)", text))


def _cuda(root):
    """Version of the CUDA toolkit: a JSON file from 11 on, one line of text before."""
    text = root.text(CUDA + "/version.json") or ""
    match = re.search(r'"cuda"\s*:\s*\{[^}]*"version"\s*:\s*"([\d.]+)"', text)
    match = match or re.search(r"CUDA Version ([\d.]+)", root.text(CUDA + "/version.txt") or "")
    return match.group(1) if match else None
