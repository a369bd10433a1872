"""The words and commands of messages."""

import difflib
import os
import re
import shlex
import sys
from typing import Collection, Dict, Iterable, Tuple

from hotpath.base.broken_libraries import JETSON, why_broken
from hotpath.base.text import is_utf_16

# the checkout, or the folder that the package is installed in
HERE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
PROGRAMS = {"engine": "hotpath engine"}
IN_A_CLONE = ("overlay", "fpga")  # targets of what no wheel has
# The folders of projects/, which no wheel has, and what their options and programs begin with.
PROJECTS: Dict[str, Tuple[str, ...]] = {
    **dict.fromkeys(("fpga", "lab", "nogpu", "release", "research"), ()),
    "bridges": ("gstreamer",),
    "vehicle": ("mavlink", "gimbal", "link-delay", "ptz"),
}
GONE = {  # options that there were, and what to do instead
    "gimbal-recording": "it is gone, because a recording answers no turn; name a live source"
}
PYNQ = "sudo python3 -m hotpath boards pynq"  # how a PYNQ image starts a module of this project
EXTRAS = {"setup": "host"}  # of targets whose extra has another name
# of extras, for a Python that is too old for the Makefile
PACKAGES = {"host": "onnx onnxruntime", "page": "aiohttp segno", "mqtt": "paho-mqtt"}
MAKEFILE_PYTHON = (3, 10)
LEAST_PART = 4  # letters of a part of a name that is a hint
ALIKE = 0.75  # of two names, by difflib; with less, a guess is wild
NO_MEMORY = (
    "there is not enough memory; end other programs, or raise the limit that `ulimit -v` or the "
    "container sets"
)


def program_command(word: str, module: str, python: str = "python3") -> str:
    """What starts a program as the user started this one: ``hotpath WORD``, or ``-m MODULE``."""
    return "hotpath " + word if "hotpath.app.command" in sys.modules else f"{python} -m {module}"


def program_name(prog: str) -> str:
    """The name of a program before its sentences."""
    return re.sub("^python3? -m ", "", prog)


def missing_package_text(what: str, name: str, error: ImportError, extra: str = "") -> str:
    """The sentence for a package that is not installed, or that can't be loaded.

    A package without an extra comes with every computer. Only boards lack it. A project runs beside
    a wheel and on boards, too, where no ``make setup`` brings its packages.
    """
    why = why_broken(name)
    if why is not None:
        return f"{what} needs the package {name}, which can't be loaded ({why[0]}); run `{why[1]}`"
    if extra in PROJECTS and (os.path.exists(JETSON) or not _is_clone()):
        extra = ""
    command = make_command("setup", ALSO=extra) if extra else pip_command(name)
    return f"{what} needs the package {name}{why_unloaded(error, name)}; run `{command}`"


def _is_clone() -> bool:
    return os.path.isfile(os.path.join(HERE, "Makefile"))


def pip_command(name: str) -> str:
    """The command for a package that comes with every computer, where one lacks it: a board."""
    return f"pip install {name}"


def why_unloaded(error: ImportError, *packages: str) -> str:
    """Why a package can't be loaded, for a sentence; empty if none of them is installed.

    A package that is installed may lack another one, or a part for this Python.
    """
    if error.name in packages and isinstance(error, ModuleNotFoundError):
        return ""
    return f", which can't be loaded ({' '.join(str(error).split())})"


def did_you_mean(word: str, names: Iterable[str], before: str = "") -> str:
    """Return "did you mean A or B?", or "" if no name begins with the word, has it, or is like it.

    Args:
        word: what the user wrote.
        names: of what there is.
        before: what stands before each name.
    """
    choices = list(dict.fromkeys(names))
    near = [name for name in choices if name.startswith(word)] if word else []
    near = near or [name for name in choices if len(word) >= LEAST_PART and word in name]
    near = (near or difflib.get_close_matches(word, choices, 3, ALIKE))[:3]
    return f"did you mean {' or '.join(before + name for name in near)}?" if near else ""


def advice_for_unknown(word: str, names: Collection[str]) -> str:
    """Return what to do where an option or a program is gone, or its project is not there; or "".

    Args:
        word: the option or program that there is not.
        names: those that there are.

    Example:
        >>> advice_for_unknown("page-host", ["page"])
        ''
    """
    if word in GONE:
        return GONE[word]
    for project, beginnings in PROJECTS.items():
        if word.startswith(beginnings) and not any(name.startswith(beginnings) for name in names):
            return f"it is of projects/{project}: run `pip install ./projects/{project}` in a clone"
    return ""


def counted(number: int, thing: str, things: str = "") -> str:
    """Return "1 frame" or "2 frames"."""
    return f"{number} {thing if number == 1 else things or thing + 's'}"


def why_unread(error: Exception) -> str:
    """Why a file can't be read, for a sentence that begins with its name."""
    if isinstance(error, FileNotFoundError):
        return "no such file; name another"
    if isinstance(error, IsADirectoryError):
        return "is a folder; name a file"
    if isinstance(error, UnicodeDecodeError):
        if is_utf_16(error.object):
            return "is text in UTF-16, as PowerShell's > writes it; save it as UTF-8"
        return "is not a text file; name another"
    return f"can't be read ({error_text(error)}); name another"


def error_text(error: Exception) -> str:
    """The text of an error without its number and file name."""
    return str(getattr(error, "strerror", None) or error)


def _here() -> str:
    """The folder of this process; "" where it was removed."""
    try:
        return os.getcwd()
    except OSError:
        return ""


def _absolute(value: str) -> str:
    return os.path.normpath(os.path.join(_here(), value)) if value.endswith(".toml") else value


def make_command(target: str, **values: object) -> str:
    """The command of a target of the Makefile with these variables, from any folder.

    An installed wheel has no Makefile: there it is what does the same, by the console command
    ``hotpath`` or pip. On a Jetson, ``python3 -m hotpath boards`` says what to install for the
    page. A Python that is too old for the Makefile gets the packages by pip.
    """
    if target == "setup" and values.get("ALSO") == "page" and os.path.exists(JETSON):
        return "python3 -m hotpath boards"
    if target == "setup" and sys.version_info < MAKEFILE_PYTHON and values.get("ALSO") in PACKAGES:
        return "pip install " + PACKAGES[str(values["ALSO"])]
    place = []
    if _is_clone() and _here() != HERE:
        place = ["-C", shlex.quote(HERE)]
        values = {name: _absolute(str(value)) for name, value in values.items()}
    words = ["make", *place, target] + [f"{name}={value}" for name, value in values.items()]
    is_a_clones = target in IN_A_CLONE or values.get("ALSO") in PROJECTS
    if not is_a_clones and not _is_clone():
        if target not in PROGRAMS:
            extra = values.get("ALSO", EXTRAS.get(target, target))
            return f"pip install 'hotpath-tracker[{extra}]'"
        words = [PROGRAMS[target], str(values.pop("BOARD", "…"))]
        for name, value in values.items():
            words += ["--" + name.lower(), str(value)]
    return " ".join(words)
