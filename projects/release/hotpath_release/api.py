"""python -m hotpath_release.api: write docs/api.md from the docstrings of what a program may use.

A code host shows that file as it is. ``test_documents`` compares it with the docstrings.
"""

import inspect
import re
import textwrap
from typing import Any, Iterator, List

import hotpath
from hotpath import runtime
from hotpath.app import detect
from hotpath.runtime import directions, errors, options, tracker, types
from hotpath.runtime import drawing as draw
from hotpath.runtime.targets import targets
from hotpath.video import sources
from tests.support import ROOT

PATH = ROOT / "docs" / "api.md"
INTRODUCTION = """\
# Python

After this page you can call Hotpath from your own program: load a tracker, start it on a box, and \
read what it says. A [tutorial](tutorials/own-program.md) has whole programs. \
[Using the tracker](use.md#what-the-tracker-says) explains the states.

In the examples, `frame` is a picture of 640x480 pixels, BGR `uint8`. `boxes` has two boxes in it.
"""
# what is documented, with those of its methods and properties that a program calls
PUBLIC = (
    (runtime.load_tracker, ()),
    (options.Options, ()),
    (tracker.Tracker, ("init", "update", "confirm", "suggest", "close")),
    (types.Track, ()),
    (types.Box, ("xyxy", "centre")),
    (runtime.load_targets, ()),
    (
        targets.Targets,
        ("add", "find_with", "update", "confirm", "restart", "drop", "numbers", "close"),
    ),
    (directions.bearing, ()),
    (directions.Bearing, ()),
    (draw.draw, ()),
    (sources.open_source, ()),
    (detect.load_detector, ()),
)
SECTIONS = ("Args", "Attributes", "Returns", "Raises")


def text() -> str:
    """The whole page."""
    parts = [INTRODUCTION]
    for thing, members in PUBLIC:
        name = thing.__name__
        is_short = name in runtime.__all__ or name in hotpath.TYPES
        module = "hotpath" if is_short else thing.__module__
        parts.append(f"## {name}\n\n`from {module} import {name}`\n")
        parts += _described(thing)
        for part in members:
            member = inspect.getattr_static(thing, part)
            is_property = isinstance(member, property)
            parts.append(f"### {name}.{part}{' (a property)' if is_property else ''}\n")
            parts += _described(member.fget if is_property else member)
    parts.append("## Errors\n\nIn `hotpath.runtime.errors`; most can be imported from `hotpath`.\n")
    found = inspect.getmembers(errors, lambda e: inspect.isclass(e) and issubclass(e, Exception))
    parts.append("".join(f"- `{name}`: {_line(inspect.getdoc(e) or '')}\n" for name, e in found))
    return "\n".join(parts)


def _described(thing: Any) -> Iterator[str]:
    """The signature of a function, and the docstring as Markdown."""
    parameters = (
        [] if inspect.isclass(thing) else list(inspect.signature(thing).parameters.values())
    )
    is_of_a_record = hasattr(thing, "__wrapped__") and parameters[0].name != "self"
    if is_of_a_record:  # its parameters are the fields
        first, *named = parameters
        fields = ", ".join(f"{field.name}={field.default!r}" for field in named)
        fields = textwrap.fill(f"{first.name}={first.default!r}, *, {fields}", 96)
        yield "```python\n{}\n```\n".format(
            f"def {thing.__name__}(\n{textwrap.indent(fields, '    ')}\n)"
        )
    elif not inspect.isclass(thing):
        lines = textwrap.dedent(inspect.getsource(thing)).splitlines()
        start = next(i for i, line in enumerate(lines) if line.startswith("def "))
        end = next(i for i, line in enumerate(lines) if line.strip().startswith('"""'))
        start = lines.index("@property") if "@property" in lines[:start] else start
        yield "```python\n{}\n```\n".format("\n".join(lines[start:end]))
    docstring = inspect.getdoc(thing) or ""
    if inspect.isclass(thing):  # a function makes it, so a program never gives these
        docstring = re.sub(r"\n\nArgs:\n.*?(?=\n\n|\Z)", "", docstring, flags=re.DOTALL)
    yield _markdown(docstring)


def _markdown(docstring: str) -> str:
    """A docstring in Google's style as Markdown: sections with an item for each name."""
    blocks: List[str] = []
    for paragraph in re.split(r"\n\s*\n", docstring):
        title, _, body = paragraph.partition("\n")
        if title == "Example:":
            blocks.append(f"**Example**\n\n```python\n{textwrap.dedent(body)}\n```")
            continue
        if title.rstrip(":") not in SECTIONS or not body:
            blocks.append(_line(paragraph))
            continue
        if title.startswith("Returns"):  # sentences, no items
            blocks.append("**Returns**\n\n" + _line(textwrap.dedent(body)))
            continue
        items = re.split(r"\n(?=\S)", textwrap.dedent(body))
        blocks.append(f"**{title.rstrip(':')}**\n\n" + "\n".join(f"- {_item(i)}" for i in items))
    return "\n\n".join(blocks) + "\n"


def _item(item: str) -> str:
    """``name, name: text`` with the names as code."""
    names, colon, rest = item.partition(":")
    if not colon or not re.fullmatch(r"[\w, \n]+", names):
        return _line(item)
    return ", ".join(f"`{name}`" for name in re.findall(r"\w+", names)) + ":" + _line(" " + rest)


def _line(paragraph: str) -> str:
    """A paragraph in one line, with Markdown's code."""
    return re.sub(r"\s+", " ", paragraph.replace("``", "`")).rstrip()


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
