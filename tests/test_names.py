"""Names of modules and functions in docstrings and comments exist."""

import re
from collections import defaultdict

import pytest

from tests.support import PACKAGE, ROOMS, ROOT

FOLDERS = (*(PACKAGE / room for room in ROOMS), ROOT / "tests")
DOTTED = re.compile(r"\bhotpath((?:\.[A-Za-z_]\w*)+)")  # hotpath.runtime.tracker.tracker.Tracker
SHORT = re.compile(r"``([a-z_]\w*)\.([A-Za-z_]\w*)(?:\(.*?\))?``")  # ``geometry.clip``
ENDINGS = (
    "bit cpp csv h hwh html ini js json md py service sh tcl toml txt".split()
)  # files, not names
OTHERS = {"pynq", "server", "track"}  # a library, variables
MODULES = defaultdict(list)  # name -> files
for folder in FOLDERS:
    for file in folder.rglob("*.py"):
        MODULES[file.stem].append(file)


def is_there(parts):
    """Whether a dotted name below ``hotpath`` leads to a module, or to a word in its source."""
    for count in range(len(parts), 0, -1):
        place = PACKAGE.joinpath(*parts[:count])
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.is_file():
                return count == len(parts) or says(file, parts[count])
        if place.is_dir():
            return count == len(parts)
    return False


def says(file, name):
    """Whether a name is a word of a module's source."""
    return re.search(rf"\b{name}\b", file.read_text()) is not None


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_names_in_docstrings_and_comments_exist(folder):
    wrong = []
    for file in sorted(folder.rglob("*.py")):
        text = file.read_text()
        for found in DOTTED.finditer(text):
            parts = found.group(1).strip(".").split(".")
            if parts[0] in ROOMS and not is_there(parts):
                wrong.append(f"{file.relative_to(ROOT)}: {found.group()}")
        for found in SHORT.finditer(text):
            module, name = found.groups()
            known = MODULES.get(module) if module not in OTHERS and name not in ENDINGS else None
            if known and not any(says(each, name) for each in known):
                wrong.append(f"{file.relative_to(ROOT)}: {found.group()}")
    assert not wrong, "\n".join(wrong)
