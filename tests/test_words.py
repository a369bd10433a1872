"""Names are the field's nouns: a name says what a value holds, not how it came about."""

import ast

from tests.support import ROOMS, ROOT

POOR = {"told", "found", "given", "made", "wanted", "known", "each", "one", "some", "others"}
MOST = 57  # assignments and parameters; lower it when there are fewer


def poor_names(text):
    """Yield the line of each assignment and each parameter whose name is one of ``POOR``."""
    for node in ast.walk(ast.parse(text)):
        is_stored = isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        if (is_stored and node.id in POOR) or (isinstance(node, ast.arg) and node.arg in POOR):
            yield node.lineno


def test_values_are_named_by_what_they_hold():
    files = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    assert len(files) > 300
    places = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in files
        if "build" not in path.parts
        for line in poor_names(path.read_text(encoding="utf-8"))
    ]
    assert len(places) <= MOST, places


def test_the_count_sees_assignments_parameters_and_loops():
    text = "def f(found):\n    for each in found:\n        told = each\n    return told.found\n"
    assert sorted(poor_names(text)) == [1, 2, 3]
