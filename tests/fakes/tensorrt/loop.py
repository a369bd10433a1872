"""The command line on TensorRT's fake and the fake GPU, in a process of its own.

    python -m tests.fakes.tensorrt.loop FOLDER --video SOURCE --box X,Y,W,H --pipeline 2 ...

builds the bundle of the tiny network in FOLDER, which must be empty, and runs ``runtime.track`` on
it with the rest of the arguments. Run by tests/runtime/multi/test_pipeline.py.
"""

import pathlib
import sys

from runtime import track
from tests.fakes.tensorrt import whole

if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    whole.make(folder, "tiny_cut", "8.2")
    sys.exit(track.main(["--bundle", str(folder / "bundle")] + sys.argv[2:]))
