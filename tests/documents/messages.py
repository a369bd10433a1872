"""Every sentence with which an error of ours ends a command: ``tests/messages.txt``.

    python -m tests.documents.messages

writes the file again. It has a paragraph for each class of error: what the class means, then each
message, with its attribute ``what`` in brackets. Values are in braces, as the code names them. The
last part has the sentences of functions that messages call. Tests elsewhere look at classes and
attributes, so that a new wording changes only its own line and this file.
"""

import ast
import pathlib

from hotpath.boards.pynq import ROOMS
from tests.support import ROOT

FILE = ROOT / "tests" / "messages.txt"
BASE = "HotpathError"


def render(root=ROOT, rooms=ROOMS):
    """The text of the file."""
    trees = [
        ast.parse(path.read_text(encoding="utf-8"))
        for room in rooms
        for path in sorted((pathlib.Path(root) / room).rglob("*.py"))
        if "build" not in path.parts
    ]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    constants = _constants(trees)
    meanings = _classes(nodes)
    messages = {name: set() for name in meanings}
    called = set()
    for node in nodes:
        name = _last_name(node.func) if isinstance(node, ast.Call) else None
        if name not in meanings or not node.args:
            continue
        text = next((arg for arg in node.args if not _is_number(arg)), None)
        if text is None or isinstance(text, ast.Name) and text.id not in constants:
            continue  # it passes on what another message says
        what = [keyword.value.value for keyword in node.keywords if keyword.arg == "what"]
        line = _text(text, constants, called)
        messages[name].add(line + (f" [{what[0]}]" if what else ""))
    paragraphs = [
        "\n".join([f"{name}: {meanings[name]}", *("  " + line for line in sorted(lines))])
        for name, lines in sorted(messages.items())
    ]
    return "\n\n".join([*paragraphs, *_functions(nodes, constants, called)]) + "\n"


def _classes(nodes):
    """Class derived from the base -> the first line of its docstring."""
    classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
    ours = {BASE}
    while True:
        more = {c.name for c in classes if ours & {_last_name(base) for base in c.bases}} - ours
        if not more:
            break
        ours |= more
    return {
        node.name: (ast.get_docstring(node) or "").split("\n")[0]
        for node in classes
        if node.name in ours
        and (node.name == BASE or ours & {_last_name(base) for base in node.bases})
    }


def _functions(nodes, constants, called):
    """A paragraph for each function that messages call and that returns sentences of its own."""
    for node in sorted(
        (n for n in nodes if isinstance(n, ast.FunctionDef) and n.name in called),
        key=lambda function: function.name,
    ):
        returned = [n.value for n in ast.walk(node) if isinstance(n, ast.Return) and n.value]
        lines = {_text(value, constants, set()) for value in returned if _has_words(value)}
        if lines:
            yield "\n".join([f"{node.name}():", *("  " + line for line in sorted(lines))])


def _has_words(node):
    """Whether a value is text with words of its own."""
    if isinstance(node, (ast.Dict, ast.Tuple, ast.List)):
        return False
    strings = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant)]
    return any(isinstance(text, str) and " " in text for text in strings)


def _is_number(node):
    return isinstance(node, ast.Constant) and not isinstance(node.value, str)


def _constants(trees):
    """Name in capitals -> its text, where a module sets it once to a string."""
    return {
        node.targets[0].id: node.value.value
        for tree in trees
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }


def _text(node, constants, called):
    """A message as text. Notes in ``called`` which functions its values come from."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.Name) and node.id in constants:
        return constants[node.id]
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(value, constants, called) for value in node.values)
    if isinstance(node, ast.FormattedValue):
        return _text(node.value, constants, called)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left, constants, called) + _text(node.right, constants, called)
    called.update(_last_name(n.func) for n in ast.walk(node) if isinstance(n, ast.Call))
    if isinstance(node, ast.Call) and _last_name(node.func) == "format":
        values = ", ".join(map(_source, node.args))
        return f"{_text(node.func.value, constants, called)} <- {values}"
    return "{" + _source(node) + "}"


def _source(node):
    """Code as text, the same for every Python: quotes of nested strings differ."""
    return ast.unparse(node).replace('"', "'")


def _last_name(node):
    return getattr(node, "attr", None) or getattr(node, "id", None)


if __name__ == "__main__":
    FILE.write_text(render(), encoding="utf-8")
