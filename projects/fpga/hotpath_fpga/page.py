"""The page of measured figures: ``hotpath_fpga.cycles`` writes one part of it.

A part stands between ``<!-- NAME -->`` and ``<!-- end NAME -->`` on lines of their own.
"""

import re

import hotpath_fpga as design
from hotpath.base.errors import HotpathError

PATH = design.PAGES / "fpga.md"


class NoPart(HotpathError):
    """The page lacks the two comments between which a part stands."""


def part(name: str) -> str:
    """The text of a part, without the comments around it.

    Raises:
        NoPart: the page has no such part.
    """
    return _found(name)[2]


def write(name: str, text: str) -> bool:
    """Replace the text of a part; returns whether that changed the page.

    Raises:
        NoPart: the page has no such part.
    """
    found = _found(name)
    page = found.string[: found.start(2)] + text + found.string[found.end(2) :]
    PATH.write_text(page, encoding="utf-8")
    return page != found.string


def _found(name: str) -> "re.Match[str]":
    text = PATH.read_text(encoding="utf-8")
    found = re.search(rf"(<!-- {name} -->\n)(.*?)(<!-- end {name} -->)", text, re.DOTALL)
    if found is None:
        messages = f"{PATH} has no part <!-- {name} --> ... <!-- end {name} -->; add both comments"
        raise NoPart(messages, what="part")
    return found
