"""Networks that are not trained yet: a ``--shape`` of the training with random weights.

The training's own program writes it, in a process of its own. A wheel has no training, and PyTorch
would take the cores from the engines that are timed.
"""

import importlib.util
import json
import pathlib
import subprocess
import sys
from typing import Sequence

from hotpath.kernels.commands import make
from hotpath.runtime.errors import BadNetwork

PROGRAM = "hotpath.research.train.export"
FOLDER = pathlib.Path("out/shapes")


def write(shape: str, head: Sequence[int] = (), folder: pathlib.Path = FOLDER) -> pathlib.Path:
    """Write the network of a shape; returns the path of its TOML.

    Args:
        shape: as of ``--shape`` of the training, such as ``timm:mobileone_s0``.
        head: width, tower and depth, or nothing for the usual head.

    Raises:
        BadNetwork: there is no training here, or it can't make this shape.
    """
    try:
        is_here = importlib.util.find_spec(PROGRAM) is not None
    except ImportError:  # of a package above it
        is_here = False
    if not is_here:
        raise BadNetwork(
            f"--shape {shape} needs the training, which is in a checkout of Hotpath: run "
            f"`{make('setup', ALSO='train')}` there, then the command again"
        )
    words = [sys.executable, "-m", PROGRAM, str(folder), "--shape", shape]
    words += ["--head", *map(str, head)] if head else []
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise BadNetwork(said.rpartition(PROGRAM + ": ")[2])
    return pathlib.Path(json.loads(done.stdout)["toml"])
