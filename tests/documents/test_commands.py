"""The commands in all documents: their modules exist, and take the options that are given."""

import functools
import importlib.util
import re
import subprocess
import sys

import pytest

from tests.documents.test_documents import documents
from tests.support import ROOT

pytestmark = pytest.mark.skipif(sys.version_info < (3, 10), reason="documents are read off a board")
COMMAND = re.compile(r"python3? -m (?P<module>[\w.]+)(?P<rest>[^\n`|#]*)")
OWN = ("runtime", "kernels", "boards", "calib", "tests")


def commands():
    """(document, module, the rest of the line) of every command of this project."""
    for path in documents():
        text = path.read_text(encoding="utf-8").replace("\\\n", " ")
        for found in COMMAND.finditer(text):
            module = found["module"].rstrip(".")
            if path.name != "CHANGELOG.md" and module.split(".")[0] in OWN:
                yield path.relative_to(ROOT), module, found["rest"]


def test_every_module_that_a_document_runs_exists():
    missing = [f"{path}: {module}" for path, module, _ in commands() if not spec_of(module)]
    assert not missing


@pytest.mark.slow("it asks forty programs for their help")
def test_every_option_that_a_document_gives_exists():
    wrong = set()
    for path, module, rest in commands():
        options = re.findall(r"(?<=\s)--[a-z][\w-]*", rest)
        if not options:
            continue
        first = re.match(r"\s+([a-z][\w-]*)", rest)
        told = (help_of(module, first.group(1)) if first else None) or help_of(module)
        if told:  # else it needs a library that is not here
            wrong |= {f"{path}: {module} {option}" for option in options if option not in told}
    assert not wrong


@functools.lru_cache(maxsize=None)
def spec_of(module):
    return importlib.util.find_spec(module)


@functools.lru_cache(maxsize=None)
def help_of(module, *subcommand):
    """What ``--help`` prints, or None where it can't be asked."""
    command = [sys.executable, "-m", module, *subcommand, "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    return None if done.returncode else done.stdout
