"""Say in a sentence which library is missing, or which file hides one of our packages.

This file uses only the standard library, because it runs before anything else is imported.
"""

import importlib
import importlib.util
import os
import sys
from typing import Sequence

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # the folder of `runtime`
PREFIX = __name__[: -len(".".join(__name__.split(".")[-2:]))]  # "hotpath." in a wheel
DISTRIBUTIONS = {"cv2": "opencv-python"}


def require(libraries: Sequence[str], extra: str = "") -> None:
    """Refuse to go on where a library is missing.

    Args:
        libraries: names of modules.
        extra: what brings them if the base does not.

    Raises:
        ImportError: names what is missing and the command that installs it. Under ``python -m`` the
            program ends with that sentence, without a traceback.
    """
    missing = [name for name in libraries if importlib.util.find_spec(name) is None]
    if missing:
        names = [DISTRIBUTIONS.get(name, name) for name in missing]
        _end(
            "{} has no {}; {}".format(
                sys.executable, " and no ".join(missing), _advice(names, extra)
            )
        )


def check_packages(names: Sequence[str] = ("kernels",)) -> None:
    """Refuse to go on where another project's file hides one of our packages; see ``require``."""
    for name in names:
        spec = importlib.util.find_spec(PREFIX + name)
        origin = os.path.abspath(spec.origin) if spec and spec.origin else None
        ours = os.path.join(HERE, name, "__init__.py")
        if origin is not None and origin != ours:
            _end(f"{origin} hides Hotpath's own package {name}; rename it or move it away")
        if importlib.util.find_spec(f"{PREFIX}{name}.errors") is None:
            _end(
                f"{ours} is not Hotpath's: another project overwrote it; uninstall that project "
                "(such "
                "as pip uninstall kernels) and install Hotpath again"
            )


def _advice(names: Sequence[str], extra: str) -> str:
    """The command that installs the libraries."""
    from kernels.commands import make  # after the check that it is ours

    if os.path.exists(os.path.join(HERE, "Makefile")):
        command = make("setup", ALSO=extra) if extra else make("setup")
        python = os.path.join(".venv", "bin", "python")
        is_there = os.path.realpath(sys.prefix) == os.path.realpath(os.path.join(HERE, ".venv"))
        return f"run `{command}` in {HERE}" + ("" if is_there else f", then {python} instead of it")
    command = make("setup", ALSO=extra) if extra else "pip install " + " ".join(names)
    return f"run `{command}`"


def _end(sentence: str) -> None:
    # under `python -m`, __main__ is one of our modules, or Python still looks for it
    running = getattr(sys.modules.get("__main__"), "__spec__", None)
    ours = running and running.name.startswith(("hotpath", "runtime."))
    if ours or sys.argv[:1] == ["-m"] or os.path.basename("".join(sys.argv[:1])) == "hotpath":
        print(f"hotpath: {sentence}", file=sys.stderr)
        raise SystemExit(2)
    raise ImportError(sentence)
