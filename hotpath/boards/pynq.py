"""Start a program where PYNQ is: one way for the images of PYNQ 2.7, 3.0 and 3.1 and for Kria's.

On these, PYNQ's library is in its own environment, finds the FPGA only if XILINX_XRT is set, and
needs root. Scripts of ``/etc/profile.d`` set up the first two. A login shell reads them,
``sudo`` does not. So ``sudo python3 -m hotpath boards pynq MODULE …`` reads them and then starts
the module with that environment's Python.

Sources: Xilinx/PYNQ, sdbuild/packages (python_packages, xrt, boardname); Xilinx/Kria-PYNQ,
install.sh; issues 1432 and 1651 of Xilinx/PYNQ.
"""

import importlib.util
import os
from typing import Sequence

from hotpath.base.messages import PYNQ
from hotpath.boards.errors import NoPynq
from hotpath.boards.files import Root
from hotpath.boards.installed import PYNQ_VENV

PYTHON = PYNQ_VENV + "/bin/python3"
# in the order of a login shell; Kria's has only the last one, which sets what the others do
SCRIPTS = (
    "etc/profile.d/boardname.sh",
    "etc/profile.d/pynq_venv.sh",
    "etc/profile.d/xrt_setup.sh",
)
XRT = "/usr"  # where these images have it


def start(root: Root, words: Sequence[str]) -> None:
    """Replace this process by a module in PYNQ's environment.

    Args:
        root: its scripts and its Python are taken.
        words: the module and its arguments; a module of ours also without ``hotpath.``.

    Raises:
        NoPynq: there is no such environment, or this is not root.
    """
    if not root.has(PYTHON):
        raise NoPynq(
            f"there is no PYNQ in /{PYNQ_VENV}: this is not an image of PYNQ 2.7 or newer; write "
            "one to the SD card (pynq.io), or on a Kria run install.sh of Xilinx/Kria-PYNQ"
        )
    if root.is_this_computer and os.geteuid() != 0:
        raise NoPynq(f"PYNQ reaches the FPGA only as root; run `{PYNQ} {' '.join(words)}`")
    lines = [f". '{root.path(name)}'" for name in SCRIPTS if root.has(name)]
    lines += [f"export XILINX_XRT=${{XILINX_XRT:-{XRT}}}", 'exec "$0" "$@"']
    script = "\n".join(lines)
    is_ours = importlib.util.find_spec("hotpath." + words[0].split(".")[0]) is not None
    module = "hotpath." + words[0] if is_ours else words[0]
    os.execv("/bin/bash", ["bash", "-c", script, root.path(PYTHON), "-m", module, *words[1:]])
