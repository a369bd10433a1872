"""Print which board this is, what it has, what it lacks, and the next command."""

import argparse
import os
import sys
from typing import Dict, List, Optional

from hotpath.base.broken_libraries import BrokenLibrary, why_broken
from hotpath.base.cli import Parser
from hotpath.base.exit_codes import exit_code
from hotpath.base.messages import counted, program_command, program_name
from hotpath.boards import detect, installed, pynq, snapshot
from hotpath.boards.errors import NoRoot
from hotpath.boards.files import Root
from hotpath.boards.telemetry import Telemetry
from hotpath.deploy.doctor import Situation, doctor_report, missing_packages


def main(arguments: Optional[List[str]] = None) -> int:
    """Run the command line and return the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    return exit_code(program_name(parser.prog), lambda: options.run(options))


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog=program_command("boards", "boards"), description=__doc__)
    parser.add_argument("--root", default="/", help="folder that replaces / (default: /)")
    parser.set_defaults(run=this_machine)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, run, text in (
        ("list", list_boards, "list the boards that have a profile"),
        ("missing", print_missing, "print the commands that install what is missing, one per line"),
        ("sensors", sensors, "read every sensor, and print where its value comes from"),
        ("snapshot", take_snapshot, "copy the files that describe this board, for an issue"),
        ("pynq", start_in_pynq, "on a PYNQ image, as root: run a Python module in PYNQ's Python"),
        ("bringup", bring_up, "test a board step by step, and write bringup.json for an issue"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        if name == "pynq":
            command.add_argument(
                "words", nargs=argparse.REMAINDER, metavar="MODULE", help="and its options; boards"
            )
        if name == "snapshot":
            command.add_argument("file", help="text file to write, without serial numbers")
        if name == "bringup":
            text = "the network to check it with (default: the board's and its witness)"
            command.add_argument("--network", metavar="NAME|FILE.toml", help=text)
            text = "the engine to check it with, such as onnxruntime_gpu (default: the board's)"
            command.add_argument("--engine", metavar="NAME", help=text)
            text = "the evidence to write (default: %(default)s)"
            command.add_argument("--out", default="bringup.json", metavar="FILE", help=text)
            text = "folder of all bundles (default: %(default)s)"
            command.add_argument("--engines", default="engines", metavar="DIR", help=text)
        if name in ("missing", "sensors", "snapshot"):
            # SUPPRESS: a default here would overwrite the same option given before the command
            command.add_argument("--root", default=argparse.SUPPRESS, help="folder that replaces /")
    return parser


IMPORTED = ("cv2", "onnx", "onnxruntime", "openvino", "ncnn")


def _root(options: argparse.Namespace) -> Root:
    """The root that the user named.

    Raises:
        NoRoot: it is no folder that can be read.
    """
    if not os.path.isdir(options.root) or not os.access(options.root, os.R_OK | os.X_OK):
        raise NoRoot(
            f"--root {options.root} is not a folder that can be read; name a folder with a board's "
            "proc, sys and etc in it, or leave --root out"
        )
    return Root(options.root)


def _situation(root: Root) -> Situation:
    # the shell's own variables say nothing about the board of another root
    environ = dict(os.environ) if root.is_this_computer else {}
    found = Situation(detect.detect(root), installed.find_installed(root), environ)
    return found._replace(broken=_broken(found)) if root.is_this_computer else found


def _broken(found: Situation) -> Dict[str, BrokenLibrary]:
    """The libraries that this Python can't import. Without NumPy none of them says more."""
    named = [name for name in IMPORTED if name in found.installed.packages]
    if not found.detection.board or why_broken("numpy"):
        return {}
    answers = {name: why_broken(name) for name in named}
    return {name: why for name, why in answers.items() if why}


def this_machine(options: argparse.Namespace) -> None:
    root = _root(options)
    situation = _situation(root)
    telemetry = Telemetry(root, situation.detection.board)
    print("\n".join(doctor_report.machine(situation, telemetry)))


def print_missing(options: argparse.Namespace) -> None:
    commands = missing_packages.install_commands(_situation(_root(options)))
    print("".join(command + "\n" for command in commands), end="")
    if not commands:  # not on standard output, which scripts run
        print("Nothing that Hotpath uses is missing on this machine.", file=sys.stderr)


def list_boards(options: argparse.Namespace) -> None:
    print("\n".join(doctor_report.listing()))


def sensors(options: argparse.Namespace) -> None:
    root = _root(options)
    telemetry = Telemetry(root, detect.detect(root).board)
    for key, value in telemetry.read().items():
        where = telemetry.found.get(key, "")
        print("{:<32} {:>14}  {}".format(key, "-" if value is None else value, where).rstrip())


def take_snapshot(options: argparse.Namespace) -> None:
    count = snapshot.write(options.file, _root(options).folder)
    print(f"{options.file}: {counted(count, 'file')}; read it before you share it")


def start_in_pynq(options: argparse.Namespace) -> None:
    pynq.start(_root(options), options.words or ["boards"])


def bring_up(options: argparse.Namespace) -> int:
    from hotpath.deploy.doctor import (
        bringup,  # it needs NumPy and OpenCV, which the other commands do not
    )

    evidence = bringup.run(options.out, options.network, options.engines, options.engine)
    print(bringup.conclusion(evidence, options.out))
    return 1 if bringup.failures(evidence) else 0


if __name__ == "__main__":
    sys.exit(main())
