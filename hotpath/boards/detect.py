"""Recognise the board from the device tree and the release files under a root."""

import platform
import re
from typing import Callable, Iterable, List, Optional, Sequence, Tuple, Union

from hotpath.boards import HOST, NVIDIA, Board, Software, installed, load_board, names
from hotpath.boards.files import Root

TREES = ("proc/device-tree", "sys/firmware/devicetree/base")
L4T = "etc/nv_tegra_release"
OS = "etc/os-release"
CPUINFO = "proc/cpuinfo"
ARM = "usr/lib/aarch64-linux-gnu"  # of Debian and Ubuntu for 64-bit ARM processors
PYNQ_FILES = ("etc/environment", "etc/profile.d/boardname.sh", "etc/profile.d/pynq_venv.sh")


class Detection:
    """The result of ``detect``.

    Attributes:
        board: the ``hotpath.boards.Board``, or None when the chip is known but the board is not.
        how: the sign that the board was recognised by, a phrase.
        sure: False when only the chip was recognised, or not even that: a container on a Jetson has
            the driver, but no device tree.
        candidates: names of the boards with this chip, when it is not certain which one it is; in
            such a container all Jetsons.
        model: the device tree's model name, or the processor's name, or None.
        soc: the device tree's name of the chip, or None.
        l4t: NVIDIA's release such as "36.4.3", or None.
        jetpack: the exact version when nvidia-jetpack is installed, else the family, or None.
        family: name of the board's software family, or None when the release is not known.
        software: dict of that family, empty when the release is not known.
        system: name of the operating system, or None.
    """

    def __init__(self) -> None:
        self.board: Optional[Board] = None
        self.how = ""
        self.sure = True
        self.candidates: List[str] = []
        self.model: Optional[str] = None
        self.soc: Optional[str] = None
        self.l4t: Optional[str] = None
        self.jetpack: Optional[str] = None
        self.family: Optional[str] = None
        self.system: Optional[str] = None
        self.software: Software = {}

    def may_be(self, name: str) -> bool:
        """Whether this can be the board of that name."""
        is_it = self.board is not None and self.board.name == name
        return is_it or (not self.sure and name in self.candidates)


def detect(root: Union[str, Root] = "/") -> Detection:
    """Identify the board under a root.

    Args:
        root: a folder that replaces ``/``, or a ``hotpath.boards.files.Root``.

    Returns:
        A ``Detection``.
    """
    root = root if isinstance(root, Root) else Root(root)
    detection = Detection()
    detection.model, compatible = _device_tree(root)
    detection.system = _field(root.text(OS, keep=_keep(r"PRETTY_NAME=")), "PRETTY_NAME")
    boards = [load_board(name) for name in names() if name != HOST]
    _recognise(detection, boards, compatible, _pynq_board(root))
    if detection.board is None and not detection.candidates:
        _computer(root, detection, boards)
    _release(root, detection)
    return detection


def _recognise(
    detection: Detection,
    boards: Sequence[Board],
    compatible: Sequence[str],
    pynq_board: Optional[str],
) -> None:
    """Set board, how, sure and candidates by the surest sign that is there."""
    for board in boards:
        if pynq_board and pynq_board.lower() in [name.lower() for name in board.pynq_board]:
            detection.board, detection.how = board, f"PYNQ's name for it, {pynq_board}"
            detection.soc = next(iter(board.device_tree), None)
            return
    alike = []
    for board in boards:
        soc = _first(board.device_tree, compatible)
        if soc:
            detection.soc = soc
            alike.append(board)
    model = detection.model or ""
    signs = [
        (_longest(b.model_contains, [model]), _longest(b.modules, compatible), b) for b in alike
    ]
    # a profile that names modules is out where another one names the module that is here
    fit = [sign for sign in signs if sign[1] or (sign[0] and not sign[2].modules)]
    fit = fit or [sign for sign in signs if sign[0]]
    if fit:
        _, module, detection.board = max(fit, key=lambda sign: (len(sign[0]), len(sign[1])))
        entry = next((text for text in compatible if module and module in text), None)
        detection.how = f"{entry} in the device tree" if entry else "its model name"
        return
    detection.candidates = [board.name for board in alike]
    detection.sure = not alike
    if len(alike) == 1 and alike[0].family == "jetson":
        detection.board = alike[0]
        detection.how = f"only its chip, {detection.soc}"


def _computer(root: Root, detection: Detection, boards: Sequence[Board]) -> None:
    """Set the board of a computer: one that a file tells of, else the host."""
    for board in boards:
        name = next((name for name in board.files if root.has(name)), None)
        if name:
            detection.board, detection.how = board, "the file /" + name
            if not detection.model and root.has(ARM):
                detection.sure = False
                detection.candidates = [
                    candidate.name for candidate in boards if candidate.family == "jetson"
                ]
            return
    detection.model = detection.model or _processor(root)
    detection.board = load_board(HOST)
    detection.how = "no sign of another board"


def _first(parts: Iterable[str], texts: Sequence[str]) -> Optional[str]:
    """Return the first part that occurs in one of the texts, or None."""
    return next((part for part in parts if any(part in text for text in texts)), None)


def _longest(parts: Iterable[str], texts: Sequence[str]) -> str:
    """The longest of the parts that occur in one of the texts, or ""."""
    there = [part for part in parts if any(part in text for text in texts)]
    return max(there, key=len, default="")


def _device_tree(root: Root) -> Tuple[Optional[str], List[str]]:
    """Return (model, list of compatible). Texts of the tree end in NUL, which parts lists too."""
    for tree in TREES:
        model = root.text(tree + "/model")
        compatible = root.text(tree + "/compatible")
        if model or compatible:
            return model, [part for part in (compatible or "").split("\0") if part]
    return None, []


def _pynq_board(root: Root) -> Optional[str]:
    for tree in TREES:
        name = root.text(tree + "/chosen/pynq_board")
        if name:
            return name
    for path in PYNQ_FILES:
        name = _field(root.text(path, keep=_keep(r"(export\s+)?BOARD=")), "BOARD")
        if name:
            return name
    return None


def _release(root: Root, detection: Detection) -> None:
    """Set L4T, JetPack or PYNQ, and the software family that the board's profile has for it."""
    text = root.text(L4T, keep=_keep("")) or ""
    match = re.search(r"R(\d+)\s*\(release\),\s*REVISION:\s*([\d.]+)", text)
    software = installed.find_installed(root)
    if match:
        detection.l4t = "{}.{}".format(*match.groups())
    elif "nvidia-l4t-core" in software.debian:  # images without the release file
        detection.l4t = software.debian["nvidia-l4t-core"].split("-")[0]
    pynq = software.packages.get("pynq")
    release = detection.l4t or (pynq.version if pynq else None)
    if (
        detection.board is not None and detection.board.family == NVIDIA
    ):  # one family suits all drivers
        detection.family, detection.software = next(iter(detection.board.software.items()))
    elif detection.board is not None:
        detection.family, detection.software = detection.board.software_for(release)
    if detection.l4t:
        exact = software.debian.get("nvidia-jetpack", "").split("+")[0].split("-")[0]
        detection.jetpack = exact or detection.family


def _processor(root: Root) -> Optional[str]:
    text = root.text(CPUINFO, keep=_keep(r"(model name|Model)\s*:")) or ""
    name = text.partition(":")[2].strip()
    return name or (platform.machine() if root.is_this_computer else None)


def _field(text: Optional[str], key: str) -> Optional[str]:
    """Return the value of ``KEY="value"`` in a shell file, or None."""
    match = re.search(rf"""(?m)^(?:export\s+)?{key}=["']?([^"'\n]+)""", text or "")
    return match.group(1).strip() if match else None


def _keep(pattern: str) -> Callable[[str], str]:
    """Return a function that keeps the first line that matches a pattern."""

    def keep(text: str) -> str:
        return next((line for line in text.split("\n") if re.match(pattern, line)), "")

    return keep
