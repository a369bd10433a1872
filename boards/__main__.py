"""python -m boards: which board this is, what it has, what is missing and the next command."""

import argparse
import os
import sys

from boards import detect, snapshot
from boards.doctor import installed, report
from boards.files import Root
from boards.telemetry import Telemetry
from runtime.errors import HotpathError


def main(arguments=None):
    options = _parser().parse_args(arguments)
    try:
        return options.run(options) or 0
    except HotpathError as error:
        print("boards: {}".format(error), file=sys.stderr)
        return 2
    except BrokenPipeError:  # as in `python -m boards list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _parser():
    parser = argparse.ArgumentParser(prog="python -m boards", description=__doc__)
    parser.add_argument("--root", default="/", help="folder that stands for / (default: /)")
    parser.set_defaults(run=this_machine)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, run, text in (
        ("list", list_boards, "the boards that are known"),
        ("show", show, "all that is known of one board"),
        ("sensors", sensors, "every sensor, where it is read, its reading; and what was skipped"),
        ("snapshot", take_snapshot, "write the files that say what this board is, for a report"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        if name == "show":
            command.add_argument("name", help="a name, or a TOML of your own")
        if name == "snapshot":
            command.add_argument("file", help="text file to write; it holds no serial number")
        if name in ("sensors", "snapshot"):
            # SUPPRESS: the same option before the command must not be overwritten by a default
            command.add_argument(
                "--root", default=argparse.SUPPRESS, help="folder that stands for /"
            )
    return parser


def this_machine(options):
    root = Root(options.root)
    found = detect.detect(root)
    telemetry = Telemetry(root, found.board)
    # the shell's own variables say nothing about another root's board
    environ = os.environ if root.is_this_computer else {}
    print("\n".join(report.machine(found, installed.look(root), telemetry, environ)))


def list_boards(options):
    print("\n".join(report.listing()))


def show(options):
    print("\n".join(report.board(options.name)))


def sensors(options):
    root = Root(options.root)
    telemetry = Telemetry(root, detect.detect(root).board)
    for key, value in telemetry.read().items():
        where = telemetry.found.get(key, "")
        print("{:<32} {:>14}  {}".format(key, "-" if value is None else value, where).rstrip())
    for where, why in telemetry.skipped:
        print("skipped {}: {}".format(where, why))


def take_snapshot(options):
    count = snapshot.write(options.file, options.root)
    print("{}: {} files; read it before you share it".format(options.file, count))


if __name__ == "__main__":
    sys.exit(main())
