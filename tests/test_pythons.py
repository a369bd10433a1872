"""Every module of what runs on a board can be imported by this Python.

A module of one board's library fails with the name of that library, and with nothing else.
"""

import json
import sys

import pytest

from tests.support import ROOT, run

pytestmark = pytest.mark.pythons("syntax, the standard library, and what each NumPy still has")

CODE = """
import importlib, json, pathlib, sys
imported, missing = [], {}
names = sorted({path.with_suffix("") for path in pathlib.Path(sys.argv[1]).rglob("*.py")})
for name in names:
    module = ".".join(part for part in name.parts if part != "__init__")
    if name.name == "__main__" or "tb" in name.parts:
        continue  # a program, or a test bench
    try:
        importlib.import_module(module)
        imported.append(module)
    except ImportError as error:
        missing[module] = [error.name or "", str(error)]
print(json.dumps([imported, missing]))
"""


# One module of each room that needs no library of a board, so it must be among those imported.
KNOWN = {
    "base": "errors",
    "kernels": "cpu.binding",
    "boards": "errors",
    "runtime": "tracker",
    "video": "sources",
    "graphs": "errors",
    "deploy": "doctor.doctor_report",
    "app": "cli.option_parser",
}


@pytest.mark.parametrize("package, known", KNOWN.items())
def test_every_module_is_imported(package, known):
    words = [sys.executable, "-W", "error::SyntaxWarning", "-c", CODE, f"hotpath/{package}"]
    done = run(words, cwd=str(ROOT))
    assert done.returncode == 0, done.stderr
    imported, missing = json.loads(done.stdout.splitlines()[-1])
    ours = ("hotpath", "tests", "loop")
    wrong = {m: text for m, (name, text) in missing.items() if name.split(".")[0] in ("",) + ours}
    assert not wrong
    assert f"hotpath.{package}.{known}" in imported, missing
