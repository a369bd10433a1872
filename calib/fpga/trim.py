"""Reduces a table of ranges of ``calib.int8`` to what the compiler needs.

The result, a few kilobytes beside the network's TOML, comes with the code, so that a board's engine
can be made without clips. ``calib.research.train.release`` writes it.
"""

import json

from calib import table


def trimmed(ranges):
    """The table with the chosen range of each tensor alone."""
    tensors = {
        part: {name: {"range": table.rounded(entry["range"])} for name, entry in entries.items()}
        for part, entries in ranges["tensors"].items()
    }
    return dict(ranges, tensors=tensors)


def text(ranges):
    """The table as JSON, a tensor a line."""
    tensors = ranges["tensors"]
    plain = json.dumps(dict(ranges, tensors=None), indent=1)
    parts = []
    for part, entries in tensors.items():
        lines = ",\n".join(
            f"   {json.dumps(name)}: {json.dumps(entry)}" for name, entry in entries.items()
        )
        parts.append(f"  {json.dumps(part)}: {{\n{lines}\n  }}")
    return (
        plain.replace('"tensors": null', '"tensors": {{\n{}\n }}'.format(",\n".join(parts))) + "\n"
    )
