"""Build the parser of ``hotpath track`` from the groups of ``option_records``."""

import argparse
import os
import re
import shlex
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from hotpath.app import option_records
from hotpath.app.cli.config import with_config
from hotpath.base import projects
from hotpath.base.cli import Parser
from hotpath.base.common_options import add_engine, add_networks_dir
from hotpath.base.messages import advice_for_unknown, did_you_mean, make_command
from hotpath.runtime import DEFAULT_NETWORK, __version__, engines, networks
from hotpath.runtime.network import DETECTORS
from hotpath.video.base import without_password

DESCRIPTION = (
    "Track one or several objects through a video, a camera or a network stream. "
    "Give the target as a box in the first frame (--box) or a point (--point), draw it with the "
    "mouse (--show), or select it in a browser (--page)."
)
BARE_BOX = re.compile(r"\d+(\.\d+)?%?(,\d+(\.\d+)?%?){3}$")
NUMBERS = re.compile(r"[\d.%,]+$")
PLUGS = projects.load_plugs()
OTHERS = tuple(group for plug in PLUGS for group in plug.groups)
GROUPS: Tuple[option_records.Group, ...] = (
    *(
        option_records.SOURCE,
        option_records.TARGETS,
        option_records.NETWORK,
        option_records.OUTPUTS,
        option_records.PAGE,
    ),
    *(*OTHERS, option_records.STREAM, option_records.LINKS),
)
COMMON = (  # what the short help lists
    *("video", "box", "point", "detector", "class", "all", "network", "witness"),
    *("results", "save", "report", "show", "page", "page-host"),
    *(name for plug in PLUGS for name in plug.common),
    *("json", "profile"),
)
EXIT_CODES = (
    "Exit codes: 0 at the end; 2 after an error, a failed output, or more than one decoder error "
    "in a recording (which is still tracked to its end); 128 + N after signal N."
)


def parse(arguments: List[str]) -> argparse.Namespace:
    """The options; ends the program where they can't be understood.

    Raises:
        BadOption: ``--config`` can't be understood.
    """
    cli = parser()
    defaults = None
    if any(word.split("=")[0] == "--config" for word in arguments):
        defaults = with_config(cli, arguments)
    options, words = cli.parse_known_args(_joined_boxes(arguments), defaults)
    unknown = [word for word in words if word.startswith("-") and word != "-"]
    if unknown:
        word = unknown[0].split("=")[0].lstrip("-")
        actions = cli._option_string_actions
        names = [name[2:] for name in actions if name[:2] == "--"]
        hint = advice_for_unknown(word, names) or did_you_mean(word, names, "--")
        cli.error("unrecognized arguments: " + " ".join(unknown) + (hint and f" ({hint})"))
    numbers = [word for word in words if NUMBERS.match(word) and not os.path.exists(word)]
    box = ",".join(word.rstrip(",") for word in numbers)
    if BARE_BOX.match(box):
        cli.error(f"{' '.join(numbers)}: no such file; if it is a box, write --box {box}")
    if words:  # which overrule a file's
        if "--video" in [word.split("=")[0] for word in arguments]:
            words = [options.video, *words]
        options.video = words if len(words) > 1 else words[0]
    for name in () if options.page else ("host", "port"):  # which mean nothing without --page
        if getattr(options, "page_" + name) != cli.get_default("page_" + name):
            cli.error(f"--page-{name} needs --page")
    options.words = arguments
    return options


def records_of(
    options: argparse.Namespace, log: Callable[[str], None]
) -> option_records.RunOptions:
    """The options as records, one for each part of the program; ``log`` is for the network."""
    values = {name: value for name, value in vars(options).items() if value is not None}

    def record(group: option_records.Group) -> Any:
        given = [option for option in group.options if option.name in values]
        return group.record(**{option.field: values[option.name] for option in given})

    source, targets, network, outputs, page, *others, stream, links = map(record, GROUPS)
    network = network._replace(
        engine=options.engine,
        networks_dir=options.networks_dir,
        log=None if options.quiet else log,
    )
    links = links._replace(page=page, stream=stream, others=tuple(others))
    links = links._replace(video=str(options.video), results=outputs.results, save=outputs.save)
    return option_records.RunOptions(source, targets, network, outputs, links, options.words)


def command_of(options: option_records.RunOptions, box: Sequence[float] = ()) -> str:
    """The command line that repeats a run, with masked passwords.

    Args:
        options: of the run.
        box: of the first target, where it was not an option but was drawn.
    """
    targets, words = options.targets, [without_password(word) for word in options.words]
    if box and not (targets.box or targets.point or targets.asks_detector):
        words += ["--box", ",".join(f"{value:.6g}" for value in box)]
    return "hotpath track " + " ".join(map(shlex.quote, words))


def parser() -> argparse.ArgumentParser:
    """The parser of the command line, and of the options in a file."""
    cli = Parser(
        prog="hotpath track",
        usage="%(prog)s [SOURCE] [OPTIONS]",
        description=DESCRIPTION,
        epilog=EXIT_CODES,
        add_help=False,
        allow_abbrev=False,
    )
    cli.register("action", None, _Once)
    for group in GROUPS:
        _add_options(cli, group)
    program = cli.add_argument_group("program")
    text = "a file with options by name, such as box = ..."
    program.add_argument("--config", metavar="FILE.toml", help=text)
    text = "list the common options; `--help all` lists every option"
    program.add_argument("-h", "--help", action=_Help, nargs="?", choices=("all",), help=text)
    program.add_argument("--version", action="version", version=f"hotpath-tracker {__version__}")
    text = "list the cameras and exit"
    program.add_argument("--list-cameras", action="store_true", help=text)
    return cli


def _add_options(cli: argparse.ArgumentParser, group: option_records.Group) -> None:
    """Add the options of a record."""
    facts = {
        "detectors": ", ".join(networks.names(DETECTORS)),
        "engine": make_command("engine"),
        "network": DEFAULT_NETWORK,
    }
    titles = {section.title: section for section in cli._action_groups}
    section: Any = titles.get(group.title) or cli.add_argument_group(group.title)
    defaults = group.record()
    for option in group.options:
        default, value = getattr(defaults, option.field), option.value
        how: Dict[str, Any] = {
            "help": option.text.replace("%", "%%").format(**facts),
            "dest": option.name,
        }
        if isinstance(option.kind, tuple):
            how["choices"] = option.kind
        elif option.kind:
            how["type"] = option.kind
        if value.startswith("["):  # it may be left out
            how.update(nargs="?", const="")
            value = value[1:-1]
        if option.off:  # None where neither of two is there
            pair = section.add_mutually_exclusive_group()
            pair.add_argument(option.flag, action="store_true", default=None, **how)
            how["help"] = option.off
            opposite = option.flag.replace("--", "--no-", 1)
            pair.add_argument(opposite, action="store_false", default=None, **how)
        elif default is False:
            section.add_argument(option.flag, action="store_true", **how)
        elif default == ():
            section.add_argument(option.flag, action="append", metavar=value, **how)
        else:
            how["help"] += " (default: %(default)s)" if default not in (None, "") else ""
            section.add_argument(option.flag, default=default, metavar=value or None, **how)
        if option.name == "network":
            add_networks_dir(section)
            add_engine(section, engines.choices(of_files=False))


class _Once(argparse._StoreAction):
    """Store a value, and refuse a second one, which would replace the first unsaid."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        options: argparse.Namespace,
        value: object,
        name: Optional[str] = None,
    ) -> None:
        if getattr(options, self.dest) is not self.default:
            usage = f", as {self.option_strings[0]} {self.metavar}" if self.metavar else ""
            raise argparse.ArgumentError(self, "is given twice; give it once" + usage)
        setattr(options, self.dest, value)


class _Help(argparse.Action):
    """Print the common options, or with "all" every option in its group."""

    def __call__(self, parser: Any, _: object, word: Any, name: Optional[str] = None) -> None:
        if word == "all":
            parser.print_help()
        else:
            actions = parser._option_string_actions
            short = parser._get_formatter()
            short.add_usage(parser.usage, [], [])
            short.add_text(parser.description)
            short.start_section("common options")
            short.add_arguments([actions["--" + name] for name in COMMON])
            short.end_section()
            more = len(set(actions.values())) - len(COMMON)
            short.add_text(f"`--help all` lists {more} more options, in groups.")
            print(short.format_help(), end="")
        parser.exit()


def _joined_boxes(arguments: List[str]) -> List[str]:
    """Join --box and a value that starts with a minus, which argparse would take for an option."""
    joined: List[str] = []
    for argument in arguments:
        if joined and joined[-1] == "--box" and argument[:1] == "-":
            joined[-1] += "=" + argument
        else:
            joined.append(argument)
    return joined
