"""Reads TOML where Python has no library for it: before Python 3.11, on a fresh board.

It takes what TOML 1.0 allows, without dates and strings of several lines, which no file of ours
has. It is used only where neither tomllib nor tomli is there.
"""

import re
from typing import Any, Dict, List, Match, Optional

Table = Dict[str, Any]

NUMBER = (
    r"[+-]?(?:0(?:x[0-9a-fA-F_]+|o[0-7_]+|b[01_]+)|inf|nan"
    r"|[0-9][0-9_]*(?:\.[0-9_]+)?(?:[eE][+-]?[0-9_]+)?)(?![-:._])"
)
STRING = r""""(?:[^"\\\n]|\\.)*"|'[^'\n]*'"""
ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)")
ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}
BLANKS = r"(?:[ \t\r\n]|#[^\n]*)*"  # and comments, over lines


def loads(text: str) -> Table:
    """Read a file's text.

    Raises:
        ValueError: it is no TOML, or has a date or a string of several lines; names the line.
    """
    return _Reader(text).read()


class _Reader:
    """Reads one text from its beginning to its end."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.sections: List[int] = []  # identities of the tables that a header opened

    def read(self) -> Table:
        """The whole text."""
        top: Table = {}
        table = top
        while True:
            self._take(BLANKS)
            if self.at == len(self.text):
                return top
            opening = self._take(r"\[\[?")
            if opening:
                table = self._header(top, opening)
            else:
                self._pair(table)
            if self._take(r"(?=#|\r?\n|\Z)") is None:
                raise self._error("more than one value in a line")

    def _header(self, top: Table, opening: str) -> Table:
        """A section's line; returns the table that the next lines fill in."""
        *above, name = self._keys()
        self._expect("]" * len(opening))
        parent = self._walk(top, above)
        if opening == "[[":
            entries = parent.setdefault(name, [])
            if not isinstance(entries, list):
                raise self._error(f"{name} is not a list of sections")
            last: Table = {}
            entries.append(last)
            return last
        section = parent.setdefault(name, {})
        if not isinstance(section, dict) or id(section) in self.sections:
            raise self._error(f"{name} is there twice")
        self.sections.append(id(section))
        return section

    def _walk(self, table: Table, keys: List[str]) -> Table:
        """The table below some keys, of a list the last one; made if it is not there."""
        for key in keys:
            inner = table.setdefault(key, {})
            inner = inner[-1] if isinstance(inner, list) and inner else inner
            if not isinstance(inner, dict):
                raise self._error(f"{key} is not a section")
            table = inner
        return table

    def _pair(self, table: Table) -> None:
        *above, name = self._keys()
        self._expect("=")
        table = self._walk(table, above)
        if name in table:
            raise self._error(f"{name} is there twice")
        table[name] = self._value()

    def _keys(self) -> List[str]:
        """A key, or several with dots between them."""
        keys = []
        while True:
            key = self._string()
            key = self._take("[A-Za-z0-9_-]+") if key is None else key
            if key is None:
                raise self._error("a key is missing")
            keys.append(key)
            if not self._take(r"\."):
                return keys

    def _string(self) -> Optional[str]:
        text = self._take(STRING)
        if text and text[0] == '"':
            return ESCAPE.sub(self._escaped, text[1:-1])
        return text and text[1:-1]

    def _escaped(self, match: Match[str]) -> str:
        letters = match.group(1)
        if len(letters) > 1:
            return chr(int(letters[1:], 16))
        if letters not in ESCAPES:
            raise self._error("an unknown escape")
        return ESCAPES[letters]

    def _value(self) -> Any:
        if self._take(r"\["):
            return self._list()
        if self._take(r"\{"):
            return self._inline_table()
        text = self._string()
        if text is not None:
            return text
        word = self._take("true|false")
        return word == "true" if word else self._number()

    def _number(self) -> Any:
        digits = (self._take(NUMBER) or "").replace("_", "")
        if not digits or re.match(r"[+-]?0[0-9]", digits):
            raise self._error("no value that can be read")
        return int(digits, 0) if re.match(r"[+-]?(0[xob]|[0-9]+$)", digits) else float(digits)

    def _list(self) -> List[Any]:
        values: List[Any] = []
        while True:
            self._take(BLANKS)
            if self._take(r"\]"):
                return values
            values.append(self._value())
            self._take(BLANKS)
            if self._take(r",|(?=\])") is None:
                raise self._error("a list has no end")

    def _inline_table(self) -> Table:
        table: Table = {}
        if self._take(r"\}"):
            return table
        while True:
            self._pair(table)
            if self._take(r"\}"):
                return table
            self._expect(",")

    def _expect(self, text: str) -> None:
        if self._take(re.escape(text)) is None:
            raise self._error(f"{text!r} is missing")

    def _take(self, pattern: str) -> Optional[str]:
        """What matches here, after blanks; the next text is what follows. None: nothing does."""
        match = re.compile(rf"[ \t]*({pattern})").match(self.text, self.at)
        if match is None:
            return None
        self.at = match.end()
        return match.group(1)

    def _error(self, what: str) -> ValueError:
        line = self.text.count("\n", 0, self.at) + 1
        return ValueError(f"line {line}: {what}")
