"""Find the software that a board has: Python, its packages, CUDA, Debian packages.

Nothing is imported: versions are read from the packages' metadata.
"""

import os
import platform
import re
import sys
from fnmatch import fnmatchcase
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

from hotpath.boards.files import Root

STATUS = "var/lib/dpkg/status"
CUDA = "usr/local/cuda"
DLA_COMPILER = "libnvdla_compiler.so"
LIBRARY_FOLDERS = (
    "usr/lib/aarch64-linux-gnu/tegra",
    "usr/lib/aarch64-linux-gnu/nvidia",
    "usr/lib/aarch64-linux-gnu",
)
MANAGED = "EXTERNALLY-MANAGED"
ENVIRONMENT = "hotpath-venv"  # in a user's home: what the doctor advises where pip refuses

# Name in an import statement -> the distributions of that package ("cupy-cuda*": any name that
# begins so), and its Debian packages.
PACKAGES: Dict[str, Tuple[Tuple[str, ...], Tuple[str, ...]]] = {
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
    "tensorrt": (("tensorrt", "tensorrt-cu12", "tensorrt-cu13"), ("python3-libnvinfer",)),
    "cupy": (("cupy", "cupy-cuda*"), ()),
    "pycuda": (("pycuda",), ("python3-pycuda",)),
    "pynq": (("pynq",), ()),
    "openvino": (("openvino",), ()),
    "onnxruntime": (("onnxruntime", "onnxruntime-gpu"), ()),
    "onnx": (("onnx",), ()),
    "ncnn": (("ncnn",), ()),
    "rknnlite": (("rknn-toolkit-lite2",), ()),
    "pycparser": (("pycparser",), ()),
    "aiohttp": (("aiohttp",), ()),
    "pip": (("pip",), ("python3-pip",)),
    "tomli": (("tomli",), ()),
}
DEBIAN = ("nvidia-l4t-core", "nvidia-jetpack", "nvidia-l4t-dla-compiler") + tuple(
    f"libnvinfer{major}" for major in (7, 8, 10)
)

# Folders where a board's own Python looks for packages. The first one that has a package wins.
PYNQ_VENV = "usr/local/share/pynq-venv"
FOLDERS = (
    "home/*/" + ENVIRONMENT + "/lib/python3*/site-packages",
    PYNQ_VENV + "/lib/python3*/site-packages",
    "usr/local/lib/python3*/dist-packages",
    "usr/lib/python3*/dist-packages",
    "usr/lib/python3*/site-packages",
)


class Package(NamedTuple):
    """A package that is installed."""

    version: str
    by: str  # "pip" or "apt", or PYNQ's environment "pynq-venv"
    python: Optional[str]  # "3.6" of the folder that holds it, None for any of the system's
    distribution: str


class InstalledSoftware:
    """The result of ``find_installed``.

    Attributes:
        python: version of this Python, or of the board's own Python under another root, or None.
        packages: dict of import name -> ``Package`` that this Python can import.
        elsewhere: dict of import name -> ``Package`` that only another Python can import.
        debian: dict of Debian package -> version.
        cuda: version of the toolkit, or None.
        dla_compiler: the state of libnvdla_compiler.so: "present", "absent" or "empty".
        managed: whether pip refuses to install here, outside of an environment (PEP 668).
        environment: whether the environment that the doctor advises is there.
        is_other: whether it is, and this Python is not its.
    """

    def __init__(self) -> None:
        self.python: Optional[str] = None
        self.packages: Dict[str, Package] = {}
        self.elsewhere: Dict[str, Package] = {}
        self.debian: Dict[str, str] = {}
        self.cuda: Optional[str] = None
        self.dla_compiler = "absent"
        self.managed = self.environment = self.is_other = False


def find_installed(root: Root) -> InstalledSoftware:
    """Find all that is installed under a root."""
    system = InstalledSoftware()
    system.python = _python(root)
    system.managed = _is_managed(root, system.python)
    if root.is_this_computer:
        home = os.path.expanduser("~/" + ENVIRONMENT)
        system.environment = os.path.exists(os.path.join(home, "bin", "python"))
        is_its = os.path.realpath(sys.prefix) == os.path.realpath(home)
        system.is_other = system.environment and not is_its
    else:
        system.environment = bool(root.glob(f"home/*/{ENVIRONMENT}/bin/python"))
    packages = set(DEBIAN)
    for _, debian in PACKAGES.values():
        packages.update(debian)
    system.debian = _debian(root, packages)
    _look_for_packages(root, system)
    system.cuda = _cuda(root)
    sizes = [root.size(folder + "/" + DLA_COMPILER) for folder in LIBRARY_FOLDERS]
    present = [size for size in sizes if size is not None]
    # A container's placeholder for the host's library is an empty file.
    if present:
        system.dla_compiler = "present" if any(present) else "empty"
    return system


def _is_managed(root: Root, python: Optional[str]) -> bool:
    """Whether the system's packager manages this Python, so that pip refuses to install."""
    if root.is_this_computer and sys.prefix != sys.base_prefix:
        return False  # pip installs into an environment
    return root.has(f"usr/lib/python{minor_version(python)}/{MANAGED}")


def _python(root: Root) -> Optional[str]:
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


def minor_version(version: Optional[str]) -> Optional[str]:
    """Return "3.6" for "3.6.9", and None for None."""
    return ".".join(version.split(".")[:2]) if version else None


def at_least(version: Optional[str], minimum: Sequence[int]) -> bool:
    """Whether a version such as "10.3.0.26" is at least (10, 3), compared number by number."""
    numbers = [int(part) for part in re.findall(r"\d+", version or "")]
    return numbers[: len(minimum)] >= list(minimum)


def _look_for_packages(root: Root, system: InstalledSoftware) -> None:
    for module, (distributions, debian) in PACKAGES.items():
        for package, is_ours in _candidates(root, module, distributions, debian, system):
            (system.packages if is_ours else system.elsewhere).setdefault(module, package)
    for packages in (system.packages, system.elsewhere):
        for package in packages.values():
            _note(root, package, minor_version(system.python))


def _candidates(
    root: Root,
    module: str,
    distributions: Tuple[str, ...],
    debian: Tuple[str, ...],
    system: InstalledSoftware,
) -> Iterator[Tuple[Package, bool]]:
    """Yield (package, whether this Python finds it) in the order in which Python looks."""
    apt = next((name for name in debian if name in system.debian), None)
    for folder, python, is_ours in _folders(root, minor_version(system.python)):
        by = "apt" if "usr/lib/python3" in folder else "pip"
        by = "pynq-venv" if PYNQ_VENV in folder else by
        names = _listed(folder)
        for name in names:
            match = re.match(r"(.+?)-(\d[^-]*)(?:-py3.*)?\.(?:dist|egg)-info$", name)
            if not match:
                continue
            distribution = re.sub(r"[-_.]+", "-", match.group(1)).lower()
            if any(fnmatchcase(distribution, name) for name in distributions + debian):
                yield Package(match.group(2), by, python, distribution), is_ours
                break
        else:
            # JetPack's OpenCV is a bare folder that does not tell its version.
            if apt and module in names:
                yield Package(system.debian[apt].split("-")[0], by, python, apt), is_ours


def _folders(root: Root, here: Optional[str]) -> Iterator[Tuple[str, Optional[str], bool]]:
    """Yield (absolute folder, the Python that looks there, whether this Python does)."""
    if root.is_this_computer:
        for folder in sys.path:
            if folder and os.path.isdir(folder):
                yield folder, here, True
    for pattern in FOLDERS:
        for folder in root.glob(pattern):
            match = re.search(r"python(3\.\d+)", folder)
            python = match.group(1) if match else None
            is_ours = not root.is_this_computer and python in (None, here)
            is_ours = is_ours and not folder.startswith(PYNQ_VENV)  # only once it is activated
            if root.path(folder) not in sys.path or not root.is_this_computer:
                yield root.path(folder), python, is_ours


def _listed(folder: str) -> List[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _note(root: Root, package: Package, here: Optional[str]) -> None:
    """Let a snapshot hold the package at the place where a board's own Python has it.

    The real place may contain a user's name.
    """
    where, packages = "usr/lib" if package.by == "apt" else "usr/local/lib", "dist-packages"
    if package.by == "pynq-venv":
        where, packages = PYNQ_VENV + "/lib", "site-packages"
    name = package.distribution.replace("-", "_")
    root.note(
        f"{where}/python{package.python or here}/{packages}/"
        f"{name}-{package.version}.dist-info/METADATA"
    )


def _debian(root: Root, names: Set[str]) -> Dict[str, str]:
    """Return dict of package -> version of the wanted Debian packages that are installed."""

    def keep(text: str) -> str:
        stanzas = []
        for stanza in text.split("\n\n"):
            fields = dict(
                line.split(": ", 1)
                for line in stanza.split("\n")
                if line.startswith(("Package: ", "Status: ", "Version: "))
            )
            if fields.get("Package") in names and fields.get("Status", "").endswith(" installed"):
                order = ("Package", "Status", "Version")
                stanzas.append("\n".join(f"{key}: {fields[key]}" for key in order))
        return "\n\n".join(stanzas)

    text = root.text(STATUS, keep=keep) or ""
    return dict(re.findall(r"Package: (\S+)\nStatus: [^\n]*\nVersion: (\S+)", text))


def _cuda(root: Root) -> Optional[str]:
    """Return the toolkit's version: from a JSON file from 11 on, from a line of text before."""
    text = root.text(CUDA + "/version.json") or ""
    match = re.search(r'"cuda"\s*:\s*\{[^}]*"version"\s*:\s*"([\d.]+)"', text)
    match = match or re.search(r"CUDA Version ([\d.]+)", root.text(CUDA + "/version.txt") or "")
    return match.group(1) if match else None
