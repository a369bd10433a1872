"""Say in a sentence which library is missing, or why one does not load.

This file uses only the standard library, because it runs before anything else is imported.
"""

import importlib
import importlib.util
import os
import re
import sys
from typing import Sequence

# what opencv-python, with windows, takes of the system (by `ldd`, with its plugin for X)
OF_THE_DESKTOP = re.compile(r"lib(GL|glib|gthread|xcb|X|SM|ICE)[\w.+-]*\.so")
DESKTOP = (
    "`sudo apt install libgl1 libglib2.0-0 libxcb1 libsm6 libxext6` (Debian, Ubuntu) or `sudo dnf "
    "install libglvnd-glx glib2 libxcb libSM libXext` (Fedora)"
)


def require(libraries: Sequence[str], extra: str = "") -> None:
    """Refuse to go on where a library is missing, or OpenCV does not load.

    Args:
        libraries: names of modules.
        extra: what brings them if the base does not.

    Raises:
        ImportError: names what is missing and the command that installs it. Under ``python -m`` the
            program ends with that sentence, without a traceback.
    """
    missing = [name for name in libraries if importlib.util.find_spec(name) is None]
    if missing:
        from hotpath.base.broken_libraries import DISTRIBUTIONS

        names = [DISTRIBUTIONS.get(name, name) for name in missing]
        _end(
            "{} has no {}; {}".format(
                sys.executable, " and no ".join(missing), _advice(names, extra)
            )
        )
    if "cv2" not in libraries:
        return
    try:
        loaded = importlib.import_module("cv2")
    except Exception:  # such as a ValueError of another NumPy
        loaded = None
    if not hasattr(loaded, "imdecode"):
        from hotpath.base.broken_libraries import BrokenLibrary, why_broken

        why, command = why_broken("cv2") or BrokenLibrary("it can't be loaded", "hotpath boards")
        mend = f"{desktop_advice(why)}run `{command}`"
        _end(f"{sys.executable} has an OpenCV that does not work ({why}); {mend}")


def desktop_advice(why: str) -> str:
    """How OpenCV's windows would work, where it lacks a desktop's libraries, else ""."""
    if not OF_THE_DESKTOP.search(why):
        return ""
    return f"for its windows run {DESKTOP}; to do without them "


def _advice(names: Sequence[str], extra: str) -> str:
    """The command that installs the libraries."""
    from hotpath.base.messages import HERE, make_command

    command = make_command("setup", ALSO=extra) if extra else make_command("setup")
    is_clone = os.path.exists(os.path.join(HERE, "Makefile"))
    if is_clone and command.startswith("make "):
        python = os.path.join(".venv", "bin", "python")
        is_there = os.path.realpath(sys.prefix) == os.path.realpath(os.path.join(HERE, ".venv"))
        return f"run `{command}` in {HERE}" + ("" if is_there else f", then {python} instead of it")
    if is_clone or not extra:  # this Python is too old for the Makefile, or there is none
        command = "pip install " + " ".join(names)
    return f"run `{command}`"


def _end(sentence: str) -> None:
    # under `python -m`, __main__ is one of our modules, or Python still looks for it
    running = getattr(sys.modules.get("__main__"), "__spec__", None)
    ours = running and running.name.startswith(("hotpath", "runtime."))
    if ours or sys.argv[:1] == ["-m"] or os.path.basename("".join(sys.argv[:1])) == "hotpath":
        print(f"hotpath: {sentence}", file=sys.stderr)
        raise SystemExit(2)
    raise ImportError(sentence)
