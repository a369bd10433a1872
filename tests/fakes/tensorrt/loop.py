"""Run the command line with the fake TensorRT on the fake GPU, in a process of its own.

    python -m tests.fakes.tensorrt.loop FOLDER --video SOURCE --box X,Y,W,H --pipeline 2 ...

builds the bundle of the tiny network in FOLDER, which must be empty. Then it runs ``runtime.track``
on the bundle with the other arguments. tests/runtime/targets/test_pipeline.py uses it.
"""

import pathlib
import sys

from runtime import track
from runtime.video.live import end_program
from tests.fakes.tensorrt import whole

if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    whole.make(folder, "tiny_cut", "8.2")
    end_program(track.main(["--bundle", str(folder / "bundle")] + sys.argv[2:]))
