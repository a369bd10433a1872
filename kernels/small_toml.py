"""Reads TOML where Python has no library for it: before Python 3.11, on a fresh board.

It takes what TOML 1.0 allows, without dates and strings of several lines, which no file of ours
has. It is used only where neither tomllib nor tomli is there.
"""

import re
from typing import Any, Dict, List

BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
NUMBER = re.compile(
    r"[+-]?(?:0x[0-9a-fA-F_]+|0o[0-7_]+|0b[01_]+|inf|nan"
    r"|[0-9][0-9_]*(?:\.[0-9_]+)?(?:[eE][+-]?[0-9_]+)?)"
)
ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}
BLANK = re.compile(r"[ \t]*")
BLANKS = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")  # and comments, over lines


def loads(text: str) -> Dict[str, Any]:
    """Read a file's text.

    Raises:
        ValueError: it is no TOML, or has a date or a string of several lines; names the line.
    """
    return _Reader(text).read()


class _Reader:
    """Reads one text from its beginning to its end."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.sections: List[int] = []  # identities of the tables that a header opened

    def read(self) -> Dict[str, Any]:
        """The whole text."""
        top: Dict[str, Any] = {}
        table = top
        while True:
            self.at = self._match(BLANKS)
            if self.at == len(self.text):
                return top
            if self.text.startswith("[[", self.at):
                table = self._header(top, "[[", "]]")
            elif self._peek() == "[":
                table = self._header(top, "[", "]")
            else:
                self._pair(table)
            self._end_of_line()

    def _header(self, top: Dict[str, Any], opening: str, closing: str) -> Dict[str, Any]:
        """A section's line; returns the table that the next lines fill in."""
        self.at += len(opening)
        keys = self._keys()
        self._expect(closing)
        parent = self._walk(top, keys[:-1])
        name = keys[-1]
        if opening == "[[":
            entries = parent.setdefault(name, [])
            if not isinstance(entries, list):
                raise self._error(f"{name} is no list of sections")
            entries.append({})
            last: Dict[str, Any] = entries[-1]
            return last
        section = parent.setdefault(name, {})
        if not isinstance(section, dict) or id(section) in self.sections:
            raise self._error(f"{name} is there twice")
        self.sections.append(id(section))
        return section

    def _walk(self, table: Dict[str, Any], keys: List[str]) -> Dict[str, Any]:
        """The table below some keys, of a list the last one; made where it is not there."""
        for key in keys:
            inner = table.setdefault(key, {})
            inner = inner[-1] if isinstance(inner, list) and inner else inner
            if not isinstance(inner, dict):
                raise self._error(f"{key} is no section")
            table = inner
        return table

    def _pair(self, table: Dict[str, Any]) -> None:
        keys = self._keys()
        self._expect("=")
        self.at = self._match(BLANK)
        table = self._walk(table, keys[:-1])
        if keys[-1] in table:
            raise self._error(f"{keys[-1]} is there twice")
        table[keys[-1]] = self._value()

    def _keys(self) -> List[str]:
        """A key, or several with dots between them."""
        keys = []
        while True:
            self.at = self._match(BLANK)
            if self._peek() in "\"'" and self._peek():
                keys.append(self._string())
            else:
                found = BARE_KEY.match(self.text, self.at)
                if not found:
                    raise self._error("a key is missing")
                keys.append(found.group())
                self.at = found.end()
            self.at = self._match(BLANK)
            if self._peek() != ".":
                return keys
            self.at += 1

    def _value(self) -> Any:
        first = self._peek()
        if first and first in "\"'":
            return self._string()
        if first == "[":
            return self._list()
        if first == "{":
            return self._inline_table()
        for word, value in (("true", True), ("false", False)):
            if self.text.startswith(word, self.at):
                self.at += len(word)
                return value
        return self._number()

    def _number(self) -> Any:
        found = NUMBER.match(self.text, self.at)
        if not found or self.text[found.end() : found.end() + 1] in tuple("-:._"):
            raise self._error("no value that can be read")
        self.at = found.end()
        digits = found.group().replace("_", "")
        if re.match(r"[+-]?0[xob]", digits):
            return int(digits, 0)
        if re.match(r"[+-]?0[0-9]", digits):
            raise self._error("a number begins with 0")
        return int(digits) if re.match(r"[+-]?[0-9]+$", digits) else float(digits)

    def _string(self) -> str:
        quote = self._peek()
        if self.text.startswith(quote * 3, self.at):
            raise self._error("a string of several lines")
        self.at += 1
        parts: List[str] = []
        while True:
            character = self._peek()
            self.at += 1
            if character == quote:
                return "".join(parts)
            if not character or character == "\n":
                raise self._error("a string has no end")
            if character == "\\" and quote == '"':
                character = self._escaped()
            parts.append(character)

    def _escaped(self) -> str:
        letter = self._peek()
        self.at += 1
        if letter in ESCAPES:
            return ESCAPES[letter]
        digits = {"u": 4, "U": 8}.get(letter, 0)
        code = self.text[self.at : self.at + digits]
        if not digits or not re.match(r"[0-9a-fA-F]{%d}$" % digits, code):
            raise self._error("an unknown escape")
        self.at += digits
        return chr(int(code, 16))

    def _list(self) -> List[Any]:
        self.at += 1
        values: List[Any] = []
        while True:
            self.at = self._match(BLANKS)
            if self._peek() == "]":
                self.at += 1
                return values
            values.append(self._value())
            self.at = self._match(BLANKS)
            if self._peek() == ",":
                self.at += 1
            elif self._peek() != "]":
                raise self._error("a list has no end")

    def _inline_table(self) -> Dict[str, Any]:
        self.at += 1
        table: Dict[str, Any] = {}
        self.at = self._match(BLANK)
        if self._peek() == "}":
            self.at += 1
            return table
        while True:
            self._pair(table)
            self.at = self._match(BLANK)
            separator = self._peek()
            self.at += 1
            if separator == "}":
                return table
            if separator != ",":
                raise self._error("a table has no end")

    def _end_of_line(self) -> None:
        self.at = self._match(BLANK)
        rest = self.text[self.at : self.at + 2]
        if rest and rest[0] not in "#\n" and rest != "\r\n":
            raise self._error("more than one value in a line")

    def _expect(self, text: str) -> None:
        self.at = self._match(BLANK)
        if not self.text.startswith(text, self.at):
            raise self._error(f"{text!r} is missing")
        self.at += len(text)

    def _match(self, pattern: Any) -> int:
        end: int = pattern.match(self.text, self.at).end()
        return end

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _error(self, what: str) -> ValueError:
        line = self.text.count("\n", 0, self.at) + 1
        return ValueError(f"line {line}: {what}")
