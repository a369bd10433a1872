"""python -m kernels.fpga.compiler.trim TABLE: keep of a table of ranges what the compiler needs.

The result, a few kilobytes beside the network's TOML, comes with the code, so that a board's engine
can be made without clips. TABLE is NAME-ranges.json of ``python -m calib.int8``.
"""

import argparse
import json
import pathlib
import sys

from calib import table
from calib.ranges import METHODS
from kernels.fpga.compiler import beside
from runtime.errors import HotpathError
from runtime.networks import load_network

DIGITS = 5


def trimmed(ranges, method=None):
    """The table with one range of each tensor alone: the chosen one, or a method's."""
    if method is not None:
        for entries in ranges["tensors"].values():
            for entry in entries.values():
                entry["range"] = entry["all"][method]
        ranges = dict(ranges, method=method)
    tensors = {
        part: {
            name: {"range": [float("{:.{}g}".format(end, DIGITS)) for end in entry["range"]]}
            for name, entry in entries.items()
        }
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
            "   {}: {}".format(json.dumps(name), json.dumps(entry))
            for name, entry in entries.items()
        )
        parts.append("  {}: {{\n{}\n  }}".format(json.dumps(part), lines))
    return (
        plain.replace('"tensors": null', '"tensors": {{\n{}\n }}'.format(",\n".join(parts))) + "\n"
    )


def main(arguments=None):
    cli = argparse.ArgumentParser(prog="python -m kernels.fpga.compiler.trim")
    cli.add_argument("table", type=pathlib.Path, metavar="TABLE")
    cli.add_argument("--method", choices=METHODS, help="take this one's (default: the chosen)")
    options = cli.parse_args(arguments)
    try:
        ranges = table.read(options.table)
        path = beside(load_network(ranges["network"]))
    except HotpathError as error:
        print("kernels.fpga.compiler.trim: {}".format(error), file=sys.stderr)
        return 2
    path.write_text(text(trimmed(ranges, options.method)))
    print("wrote {}".format(path))
    return 0


if __name__ == "__main__":
    sys.exit(main())
