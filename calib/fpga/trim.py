"""python -m calib.fpga.trim TABLE: reduce a table of ranges to what the compiler needs.

The result, a few kilobytes beside the network's TOML, comes with the code, so that a board's engine
can be made without clips. TABLE is NAME-ranges.json of ``python -m calib.int8``.
"""

import json
import pathlib
import sys

from calib import command, table
from calib.fpga.compile import beside
from calib.ranges import METHODS
from runtime.networks import load_network


def trimmed(ranges, method=None):
    """The table with one range of each tensor alone: the chosen one, or a method's."""
    if method is not None:
        for entries in ranges["tensors"].values():
            for entry in entries.values():
                entry["range"] = entry["all"][method]
        ranges = dict(ranges, method=method)
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


def main(arguments=None):
    """Run the command line; returns the exit code."""
    cli = command.parser("calib.fpga.trim", __doc__)
    cli.add_argument("table", type=pathlib.Path, metavar="TABLE")
    cli.add_argument("--method", choices=METHODS, help="take this one's (default: the chosen)")
    return command.run("calib.fpga.trim", run, cli, arguments, "stopped")


def run(options):
    """Trim the table and write it beside the network's TOML."""
    ranges = table.read(options.table)
    path = beside(load_network(ranges["network"]))
    path.write_text(text(trimmed(ranges, options.method)))
    print(f"wrote {path}")


if __name__ == "__main__":
    sys.exit(main())
