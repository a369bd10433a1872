"""The code blocks of a document, and the commands in them."""

import re
import textwrap

BLOCK = re.compile(r'^( *)```(\w*)(?: title="([^"]+)")?\n(.*?)^ *```$', re.MULTILINE | re.DOTALL)


def blocks(path):
    """(language, title, text) of each code block of a document."""
    text = path.read_text(encoding="utf-8")
    return [(kind, title, textwrap.dedent(body)) for _, kind, title, body in BLOCK.findall(text)]


def commands(text):
    """The commands of a block, each in one line and without its comment."""
    lines = text.replace("\\\n", " ").splitlines()
    plain = [" ".join(re.sub(r"(^|\s)# .*", "", line).split()) for line in lines]
    return [line for line in plain if line]
