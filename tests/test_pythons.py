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
missing = {}
names = sorted({path.with_suffix("") for path in pathlib.Path(sys.argv[1]).rglob("*.py")})
for name in names:
    module = ".".join(part for part in name.parts if part != "__init__")
    if name.name == "__main__" or "tb" in name.parts:
        continue  # a program, or a test bench
    try:
        importlib.import_module(module)
    except ImportError as error:
        missing[module] = [error.name or "", str(error)]
print(json.dumps([len(names), missing]))
"""


LEAST = {
    "base": 10,
    "kernels": 35,
    "boards": 15,
    "runtime": 60,
    "video": 15,
    "graphs": 3,
    "deploy": 30,
    "app": 40,
}


@pytest.mark.parametrize("package, least", LEAST.items())
def test_every_module_is_imported(package, least):
    words = [sys.executable, "-W", "error::SyntaxWarning", "-c", CODE, f"hotpath/{package}"]
    done = run(words, cwd=str(ROOT))
    assert done.returncode == 0, done.stderr
    count, missing = json.loads(done.stdout.splitlines()[-1])
    ours = ("hotpath", "tests", "loop")
    wrong = {m: text for m, (name, text) in missing.items() if name.split(".")[0] in ("",) + ours}
    assert not wrong
    assert count - len(missing) >= least, missing
