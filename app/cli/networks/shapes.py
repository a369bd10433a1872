"""Networks that are not trained yet: a ``--shape`` of the training with random weights.

The training's own program writes it, in a process of its own: PyTorch would take the cores from the
engines that are timed.
"""

import json
import pathlib
import subprocess
import sys
from typing import Sequence

from hotpath.kernels import projects
from hotpath.runtime.errors import BadNetwork

FOLDER = pathlib.Path("out/shapes")


def write(shape: str, head: Sequence[int] = (), folder: pathlib.Path = FOLDER) -> pathlib.Path:
    """Write the network of a shape; returns the path of its TOML.

    Args:
        shape: as of ``--shape`` of the training, such as ``timm:mobileone_s0``.
        head: width, tower and depth, or nothing for the usual head.

    Raises:
        BadNetwork: the training can't make this shape.
        NoProject: there is no training here.
    """
    program = projects.need("research.shapes", f"--shape {shape}").value
    words = [sys.executable, "-m", program, str(folder), "--shape", shape]
    words += ["--head", *map(str, head)] if head else []
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise BadNetwork(said.rpartition(program + ": ")[2])
    return pathlib.Path(json.loads(done.stdout)["toml"])
