"""The console command ``hotpath``: one word for each program; it imports only that program."""

import importlib.util
import runpy
import sys
from typing import Dict, List, NamedTuple, Optional, Tuple

from runtime.libraries import HERE, PREFIX, check_packages, require

PICTURES = ("numpy", "cv2")
BASE = PICTURES + ("tqdm",)  # what a wheel requires, and so also the help of a program
HELP = ("-h", "--help")


class Program(NamedTuple):
    """What a word runs, the extra of the wheel that it needs, and libraries to look for first."""

    module: str
    text: str
    extra: str = ""
    libraries: Tuple[str, ...] = PICTURES


PROGRAMS = {
    "track": Program("runtime.track", "follow an object through a video, a camera or a stream"),
    "networks": Program("runtime.networks.__main__", "list, show, add and download networks"),
    "boards": Program("boards.__main__", "which board this is, and what is missing", libraries=()),
    "engine": Program("boards.build.__main__", "make a network ready for a board", "host"),
    "evaluate": Program(
        "calib.evaluate",
        "measure accuracy on annotated clips",
        "calib",
        PICTURES + ("tqdm", "got10k", "matplotlib"),
    ),
    "int8": Program(
        "calib.int8",
        "calibrate a network for INT8",
        "calib",
        PICTURES + ("onnx", "onnxruntime", "tqdm", "got10k"),
    ),
    "tune": Program("calib.tune", "search tracking numbers", "tune", PICTURES + ("optuna", "tqdm")),
    "convert": Program(
        "calib.convert", "boxes for tools that annotate and evaluate", "calib", BASE
    ),
    "vot": Program("runtime.vot", "run under the VOT toolkit", "vot", PICTURES + ("vot",)),
    "gstreamer": Program("runtime.gstreamer.__main__", "what GStreamer needs to find its element"),
    "fps": Program("tests.fps.__main__", "measure frames a second"),
}


def there() -> Dict[str, Program]:
    """The programs of this installation; a wheel lacks those of a checkout's ``tests``."""
    return {word: each for word, each in PROGRAMS.items() if each.module.startswith(PREFIX)}


def _is_installed(module: str) -> bool:
    """Whether a module can be found; another project may have a package ``tests``."""
    try:
        return importlib.util.find_spec(module) is not None
    except ImportError:
        return False


def main(arguments: Optional[List[str]] = None) -> int:
    """Run the program that the first word names; returns the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    program = PROGRAMS.get(words[0]) if words else None
    if words[:1] == ["help"] and len(words) > 1:
        words = [words[1], "--help"]
        program = PROGRAMS.get(words[0])
    if words[:1] == ["--version"]:
        words, program = ["track", "--version"], PROGRAMS["track"]
    if program is None:
        from kernels.commands import make, meant  # after the check below, where one is named

        if words and words[0] not in HELP + ("help",):
            advice = meant(words[0], there()) or "hotpath --help lists them"
            print(f"hotpath: {words[0]} is no program; {advice}", file=sys.stderr)
            return 2
        print("usage: hotpath PROGRAM [OPTIONS]\n")
        for name, each in there().items():
            extra = f"; {make('setup', ALSO=each.extra)}" if each.extra else ""
            print(f"  {name:<10} {each.text}{extra}")
        return 0 if words else 2
    if not PREFIX and HERE not in sys.path:
        sys.path.insert(0, HERE)  # a checkout's `tests` are not installed
    try:
        check_packages()
        asks_help = set(HELP).intersection(words)
        needed = [name for name in program.libraries if name in BASE or not asks_help]
        require(needed, program.extra)
        if not _is_installed(program.module):
            raise ImportError(f"{words[0]} is not installed; use a checkout")
    except ImportError as error:
        print(f"hotpath: {error}", file=sys.stderr)
        return 2
    sys.argv = [program.module] + words[1:]
    try:
        runpy.run_module(program.module, run_name="__main__", alter_sys=True)
    except KeyboardInterrupt:  # while it imports, before it handles Ctrl-C itself
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
