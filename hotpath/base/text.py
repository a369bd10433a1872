"""Decode the text files that people write, and the names of files in them.

Editors of Windows begin UTF-8 with a mark, which is dropped here. UTF-16 is refused by its name.
"""

import codecs
import json
import os
from typing import Any

UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)  # LE of 32 begins as of 16


def read(path: str, most: int = -1) -> str:
    """Return the text of a file.

    Args:
        path: the file.
        most: bytes that are read; -1: all.

    Raises:
        OSError: it can't be read.
        ValueError: it has more bytes.
        UnicodeDecodeError: it is not UTF-8; ``messages.why_unread`` makes a sentence of it.
    """
    with open(str(path), "rb") as file:
        data = file.read(most + 1 if most >= 0 else -1)
    if 0 <= most < len(data):
        raise ValueError(f"it has over {most} bytes")
    return decode_utf8(data)


def read_json(path: str, most: int) -> Any:
    """Return what a file of JSON holds.

    Args:
        path: the file.
        most: bytes that are read.

    Raises:
        OSError: it can't be read.
        ValueError: it has more bytes, or is not JSON.
    """
    return parse_json(read(path, most))


def parse_json(text: str, **how: Any) -> Any:
    """Return what a text of JSON holds; raises ``ValueError``, also for brackets without an end.

    ``how`` is for ``json.loads``.
    """
    try:
        return json.loads(text, **how)
    except RecursionError:
        raise ValueError("its brackets are nested too deeply") from None


def decode_utf8(data: bytes) -> str:
    """Return the text of bytes in UTF-8; raises ``UnicodeDecodeError``, also for a NUL."""
    text = data.decode("utf-8-sig")
    if "\0" in text:  # UTF-16 without a mark, or no text
        at = data.index(b"\0")
        raise UnicodeDecodeError("utf-8", data, at, at + 1, "NUL in a text")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def is_utf_16(data: bytes) -> bool:
    """Whether bytes that are not UTF-8 look like UTF-16: by the mark, or by every second byte."""
    halves = data[:64:2], data[1:64:2]
    every_second = any(half and not half.strip(b"\0") for half in halves)
    return data.startswith(UTF_16) or every_second


def file_name(text: str) -> str:
    """Return a name from a text file as the system's calls take it, in UTF-8.

    Without a locale, Python 3.6 takes names for ASCII. A letter such as é is then an error, unless
    its bytes stand for it, as in the arguments of the command line.
    """
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return os.fsdecode(text.encode("utf-8"))
    return text
