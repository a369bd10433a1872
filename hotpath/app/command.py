"""The console command ``hotpath``: start the program that its first word names."""

import runpy
import sys
from typing import Dict, List, NamedTuple, Optional, Tuple

from hotpath.base import projects
from hotpath.base.cli import flush, tell, wrap_for_terminal
from hotpath.base.errors import NoProject
from hotpath.base.exit_codes import open_closed_streams, report_exhausted
from hotpath.base.libraries import require
from hotpath.base.messages import NO_MEMORY, advice_for_unknown, did_you_mean, make_command

PICTURES = ("numpy", "cv2")
BASE = PICTURES + ("tqdm",)  # what a wheel requires, and so also the help of a program
HELP = ("-h", "--help")
BEGIN = """\
To begin: hotpath track film.mp4 --show   draw a box around the target
Options:  hotpath PROGRAM --help"""


class Program(NamedTuple):
    """What a word runs, the extra of the wheel that it needs, and libraries to look for first."""

    module: str  # empty where the extra names the project that has it
    text: str
    extra: str = ""
    libraries: Tuple[str, ...] = PICTURES


PROGRAMS = {
    "track": Program(
        "hotpath.app.track_command", "track an object through a video, a camera or a stream"
    ),
    "networks": Program(
        "hotpath.app.cli.networks.networks_command", "list, show, add and download networks"
    ),
    "boards": Program(
        "hotpath.deploy.doctor.boards_command",
        "show which board this is, and what is missing",
        libraries=(),
    ),
    "engine": Program(
        "hotpath.deploy.bundles.engine_command", "build a network for a board", "host"
    ),
    "evaluate": Program("", "measure accuracy on annotated clips", "lab"),
    "int8": Program(
        "hotpath.calib.int8_command",
        "make the INT8 form of a network",
        "host",
        PICTURES + ("onnx", "onnxruntime", "tqdm"),
    ),
    "tune": Program("", "search for better tracking numbers", "lab"),
    "vot": Program("", "run a tracker in the VOT toolkit", "lab"),
    "fps": Program(
        "hotpath.deploy.fps.fps_command", "time frames, and compare with this board's reference"
    ),
}


FIRST = ("track", "boards", "networks", "evaluate", "engine")


def programs() -> Dict[str, Program]:
    """The programs, with those of projects that are there."""
    added = [each for plug in projects.load_plugs() for each in plug.programs.items()]
    return dict(PROGRAMS, **{word: Program(*program) for word, program in added})


def main(arguments: Optional[List[str]] = None) -> int:
    """Run the program that the first word names; returns the exit code."""
    open_closed_streams()
    try:
        return _run(arguments)
    except KeyboardInterrupt:  # while a program is imported, before it handles Ctrl-C itself
        return 130
    except BrokenPipeError:  # as in `hotpath --help | head -1`
        return 1
    except OSError as error:
        return report_exhausted("hotpath", error)
    except MemoryError:
        tell(f"hotpath: {NO_MEMORY}")
        return 2
    finally:
        if not flush():
            sys.exit(2)


def _module_of(word: str, program: Program) -> str:
    """The module of a program; raises NoProject where it is in a project that is not installed."""
    if program.module:
        return program.module
    value: str = projects.require_entry_point(f"{program.extra}.{word}", f"hotpath {word}").value
    return value


def _print_help() -> None:
    """What a newcomer with a camera needs, then the rest."""
    print("usage: hotpath PROGRAM [OPTIONS]")
    entries = programs()
    later = [name for name in entries if name not in FIRST]
    for title, names in (("", FIRST), ("more programs:\n", later)):
        print(f"\n{title}", end="")
        for name in names:
            entry = entries[name]
            if not entry.module and projects.find_entry_point(f"{entry.extra}.{name}") is None:
                continue
            extra = (
                f" (needs {make_command('setup', ALSO=entry.extra)})"
                if entry.module and entry.extra
                else ""
            )
            print(wrap_for_terminal(f"  {name:<10} {entry.text}{extra}", sys.stdout, 13))
    print(f"\n{BEGIN}")


def _run(arguments: Optional[List[str]]) -> int:
    words = sys.argv[1:] if arguments is None else arguments
    if words[:1] == ["help"] and len(words) > 1:
        words = [words[1], "--help"]
    if words[:1] == ["--version"]:
        words = ["track", "--version"]
    program = PROGRAMS.get(words[0]) or programs().get(words[0]) if words else None
    if program is None:
        if words and words[0] not in HELP + ("help",):
            hint = advice_for_unknown(words[0], programs()) or did_you_mean(words[0], programs())
            hint = hint or "hotpath --help lists them"
            tell(f"hotpath: {words[0]} is not a program; {hint}")
            return 2
        _print_help()
        return 0 if words else 2
    try:
        module, *first = _module_of(words[0], program).split()
        if module.startswith("hotpath.calib.") and sys.version_info < (3, 10):
            raise NoProject(f"hotpath {words[0]} needs Python 3.10 or newer; run it on a computer")
        asks_help = set(HELP).intersection(words)
        needed = [name for name in program.libraries if name in BASE or not asks_help]
        require(needed, program.extra)
    except (ImportError, NoProject) as error:
        tell(f"hotpath: {error}")
        return 2
    sys.argv = [module, *first, *words[1:]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
