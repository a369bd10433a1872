"""The console command ``hotpath-tracker``: one word for each program."""

import importlib.util
import runpy
import sys
from typing import List, Optional

from runtime.libraries import check_packages, require

PROGRAMS = {
    "track": ("runtime.track", "follow an object through a video, a camera or a stream"),
    "networks": ("runtime.networks.__main__", "list, show and download networks"),
    "boards": ("boards.__main__", "which board this is, and what is missing"),
    "build": ("boards.build.__main__", "make a network ready for a board"),
    "evaluate": ("calib.evaluate", "measure accuracy on annotated clips"),
    "int8": ("calib.int8", "calibrate a network for INT8"),
    "tune": ("calib.tune", "search tracking numbers"),
    "fps": ("tests.fps.__main__", "measure frames a second (in a checkout only)"),
}
WITHOUT_LIBRARIES = ("boards",)  # it says itself what is missing


def main(arguments: Optional[List[str]] = None) -> int:
    """Run the program that the first word names; returns the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    if not words or words[0] not in PROGRAMS:
        print("usage: hotpath-tracker PROGRAM [OPTIONS]\n")
        for name, (_, text) in PROGRAMS.items():
            print(f"  {name:<10} {text}")
        return 0 if words in (["-h"], ["--help"]) else 2
    module = PROGRAMS[words[0]][0]
    try:
        check_packages()
        if words[0] not in WITHOUT_LIBRARIES:
            require(("numpy", "cv2"))
        if importlib.util.find_spec(module.split(".")[0]) is None:
            raise ImportError(f"{words[0]} is not installed; use a checkout")
    except ImportError as error:
        print(f"hotpath-tracker: {error}", file=sys.stderr)
        return 2
    sys.argv = [module] + words[1:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
