"""Which board is this? Read from the device tree and the release files under a root."""

import platform
import re

from boards import HOST, load_board, names
from boards.doctor import installed
from boards.errors import UnknownBoard
from boards.files import Root

TREES = ("proc/device-tree", "sys/firmware/devicetree/base")
L4T = "etc/nv_tegra_release"
OS = "etc/os-release"
CPUINFO = "proc/cpuinfo"
PYNQ_FILES = ("etc/environment", "etc/profile.d/boardname.sh", "etc/profile.d/pynq_venv.sh")


class Detection:
    """What ``detect`` found.

    Attributes:
        board: its ``boards.Board``; None when it is a known chip on an unknown board.
        how: what it was recognised by, a phrase.
        sure: False when only the chip speaks for it.
        candidates: names of the boards that it may be, when it is not certain which.
        model, soc: as the device tree says, or the processor's name; None for none.
        l4t: NVIDIA's release such as "36.4.3", or None.
        jetpack: exact version when nvidia-jetpack is installed, else the family, or None.
        family, software: the board's software family and its dict, (None, {}) when not known.
        system: name of the operating system, or None.
    """

    def __init__(self):
        self.board, self.how, self.sure, self.candidates = None, "", True, []
        self.model = self.soc = self.l4t = self.jetpack = self.family = self.system = None
        self.software = {}

    def require(self):
        """The board.

        Raises:
            UnknownBoard: it is not certain which one it is.
        """
        if self.board is None:
            raise UnknownBoard(
                "this is a {} ({}), but which board? Name one with BOARD=: {}".format(
                    self.soc, self.model or "no model name", ", ".join(self.candidates)
                )
            )
        return self.board


def detect(root="/"):
    """Find out which board stands under a root.

    Args:
        root: a folder that stands for ``/``, or a ``boards.files.Root``.

    Returns:
        A ``Detection``.
    """
    root = root if isinstance(root, Root) else Root(root)
    found = Detection()
    found.model, compatible = _device_tree(root)
    found.system = _field(root.text(OS, keep=_pretty_name), "PRETTY_NAME")
    boards = [load_board(name) for name in names() if name != HOST]
    _recognise(found, boards, compatible, _pynq_board(root))
    if found.board is None and not found.candidates:
        found.board = load_board(HOST)
        found.how = "no device tree of another board"
        found.model = found.model or _processor(root)
    _release(root, found)
    return found


def _recognise(found, boards, compatible, pynq_board):
    """Set board, how, sure and candidates by the surest sign that there is."""
    for board in boards:
        if pynq_board and pynq_board.lower() in [name.lower() for name in board.pynq_board]:
            found.board, found.how = board, "PYNQ's name for it, {}".format(pynq_board)
            found.soc = next(iter(board.device_tree), None)
            return
    alike = []
    for board in boards:
        soc = _first(board.device_tree, compatible)
        if soc:
            found.soc = soc
            alike.append(board)
    for board in alike:
        module = _first(board.modules, compatible)
        if module:
            found.board = board
            entry = next(text for text in compatible if module in text)
            found.how = "{} in the device tree".format(entry)
            return
    for board in alike:
        if _first(board.model_contains, [found.model or ""]):
            found.board, found.how = board, "its model name"
            return
    found.candidates = [board.name for board in alike]
    if len(alike) == 1 and alike[0].family == "jetson":
        found.board, found.sure = alike[0], False
        found.how = "its chip alone, {}".format(found.soc)


def _first(parts, texts):
    """The first part that occurs in one of the texts, or None."""
    return next((part for part in parts if any(part in text for text in texts)), None)


def _device_tree(root):
    """(model, list of compatible): the tree's texts end in a NUL, lists are parted by them."""
    for tree in TREES:
        model = root.text(tree + "/model")
        compatible = root.text(tree + "/compatible")
        if model or compatible:
            return model, [part for part in (compatible or "").split("\0") if part]
    return None, []


def _pynq_board(root):
    for tree in TREES:
        name = root.text(tree + "/chosen/pynq_board")
        if name:
            return name
    for path in PYNQ_FILES:
        name = _field(root.text(path, keep=_board_line), "BOARD")
        if name:
            return name
    return None


def _release(root, found):
    """L4T, JetPack or PYNQ, and the software family that the board's TOML has for it."""
    text = root.text(L4T, keep=lambda text: text.split("\n", 1)[0]) or ""
    match = re.search(r"R(\d+)\s*\(release\),\s*REVISION:\s*([\d.]+)", text)
    software = installed.look(root)
    if match:
        found.l4t = "{}.{}".format(*match.groups())
    elif "nvidia-l4t-core" in software.debian:  # images without the release file
        found.l4t = software.debian["nvidia-l4t-core"].split("-")[0]
    pynq = software.packages.get("pynq")
    release = found.l4t or (pynq and pynq.version)
    if found.board is not None:
        found.family, found.software = found.board.software_for(release)
    if found.l4t:
        exact = software.debian.get("nvidia-jetpack", "").split("+")[0].split("-")[0]
        found.jetpack = exact or found.family


def _processor(root):
    text = root.text(CPUINFO, keep=_model_name) or ""
    name = text.partition(":")[2].strip()
    return name or (platform.machine() if root.is_this_computer else None)


def _field(text, key):
    """The value of ``KEY="value"`` in a shell file, or None."""
    match = re.search(r"""(?m)^(?:export\s+)?{}=["']?([^"'\n]+)""".format(key), text or "")
    return match.group(1).strip() if match else None


def _keep(pattern):
    def keep(text):
        return next((line for line in text.split("\n") if re.match(pattern, line)), "")

    return keep


_pretty_name = _keep(r"PRETTY_NAME=")
_board_line = _keep(r"(export\s+)?BOARD=")
_model_name = _keep(r"(model name|Model)\s*:")
