"""The options of ``hotpath track``: the parser that the records of ``hotpath.app.records`` give."""

import argparse
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from hotpath.app import records
from hotpath.base import projects
from hotpath.base.cli import Parser
from hotpath.base.commands import advice, make, meant
from hotpath.runtime import DEFAULT_NETWORK, __version__, engines, networks
from hotpath.runtime.arguments import add_engine, add_networks_dir
from hotpath.runtime.network import DETECTORS
from hotpath.runtime.options import Options

DESCRIPTION = (
    "Follow one or several objects through a video, a camera or a network stream. "
    "Give the target as a box in the first frame (--box) or a point (--point), draw it with the "
    "mouse (--show), or select it in a browser (--page)."
)
PLUGS = projects.plugs()
BEFORE: Tuple[Any, ...] = (records.SourceOptions, records.TargetOptions)
AFTER: Tuple[Any, ...] = (
    *(records.OutputOptions, records.PageOptions),
    *(record for plug in PLUGS for record in plug.records),
    *(records.StreamOptions, records.LinkOptions),
)
COMMON = (  # what the short help lists
    *("video", "box", "point", "detector", "class", "all", "network", "results", "save", "show"),
    *("page", "page-host", *(name for plug in PLUGS for name in plug.common)),
    *("json", "profile"),
)
EXIT_CODES = (
    "Exit code: 0; 2 after an error, where an output failed, and where a recording has more than "
    "one decoder error (everything that can be decoded is tracked all the same); 128 + its number "
    "after a signal."
)


def parse(arguments: List[str]) -> argparse.Namespace:
    """The options; ends the program where they can't be understood.

    Raises:
        BadOption: ``--config`` can't be understood.
    """
    cli = parser()
    defaults = None
    if any(word.split("=")[0] == "--config" for word in arguments):
        from hotpath.app.cli.config import with_config

        defaults = with_config(parser(of_file=True), arguments)
    options, words = cli.parse_known_args(_joined_boxes(arguments), defaults)
    unknown = [word for word in words if word.startswith("-") and word != "-"]
    if unknown:
        word = unknown[0].split("=")[0].lstrip("-")
        actions = cli._option_string_actions
        names = (name[2:] for name in actions if name[:2] == "--")
        hint = advice(word) or meant(word, names, "--")
        if "--" + word in parser(of_file=True)._option_string_actions:
            hint = f"write {word} = ... into a file for --config"
        cli.error("unrecognized arguments: " + " ".join(unknown) + (hint and f" ({hint})"))
    if words:  # which overrule a file's
        named = [word.split("=")[0] for word in arguments if word.startswith("--v")]
        is_given = any("--video".startswith(name) for name in named)  # it may be shortened
        words = [options.video] * is_given + words
        options.video = words if len(words) > 1 else words[0]
    for name in () if options.page else ("host", "port"):  # which mean nothing without --page
        if getattr(options, "page_" + name) != cli.get_default("page_" + name):
            cli.error(f"--page-{name} needs --page")
    if options.completion:
        from hotpath.app.cli.config import completion

        print(completion(cli), end="")
        cli.exit()
    return options


def records_of(options: argparse.Namespace, log: Callable[[str], None]) -> records.RunOptions:
    """The options as records, one for each part of the program; ``log`` is for the network."""
    values = {name: value for name, value in vars(options).items() if value is not None}

    def record(kind: Any, texts: Dict[str, records.Option]) -> Any:
        names = {field: text.name for field, text in texts.items() if text.name in values}
        return kind(**{field: values[name] for field, name in names.items()})

    source, targets, outputs, page, *others, stream, links = (
        record(kind, kind.options) for kind in BEFORE + AFTER
    )
    network = record(Options, records.NETWORK)._replace(
        engine=options.engine,
        networks_dir=options.networks_dir,
        log=None if options.quiet else log,
    )
    links = links._replace(page=page, stream=stream, others=tuple(others))
    links = links._replace(video=str(options.video), results=outputs.results, save=outputs.save)
    return records.RunOptions(source, targets, network, outputs, links)


def parser(of_file: bool = False) -> argparse.ArgumentParser:
    """The parser of the command line, or of a file's options, which has more of them."""
    cli = Parser(
        prog="hotpath track",
        usage="%(prog)s [SOURCE] [OPTIONS]",
        description=DESCRIPTION,
        epilog=EXIT_CODES,
        add_help=False,
    )
    cli.register("action", None, _Once)
    for kind in BEFORE:
        _add_options(cli, kind, kind.options, of_file)
    _add_options(cli, Options, records.NETWORK, of_file)
    for kind in AFTER:
        _add_options(cli, kind, kind.options, of_file)
    program = cli.add_argument_group("program")
    text = "a file of options by their names, such as box = ..."
    program.add_argument("--config", metavar="FILE.toml", help=text)
    text = "print a script that completes options in bash and zsh"
    program.add_argument("--completion", action="store_true", help=text)
    text = "list the common options; with the word all, every option"
    program.add_argument("-h", "--help", action=_Help, nargs="?", choices=("all",), help=text)
    program.add_argument("--version", action="version", version=f"hotpath-tracker {__version__}")
    text = "list the cameras, then end"
    program.add_argument("--list-cameras", action="store_true", help=text)
    return cli


def _add_options(
    cli: argparse.ArgumentParser, kind: Any, texts: Dict[str, records.Option], of_file: bool
) -> None:
    """Add the options of a record; those that only files have where it is a file's parser."""
    facts = {
        "detectors": ", ".join(networks.names(DETECTORS)),
        "engine": make("engine"),
        "network": DEFAULT_NETWORK,
        "threads": engines.THREADS,
    }
    title = getattr(kind, "group", "network and engine")
    groups = {group.title: group for group in cli._action_groups}
    group: Any = groups.get(title) or cli.add_argument_group(title)
    for field, option in texts.items():
        if option.in_files and not of_file:
            continue
        usage, _, text = option.text.partition("  ")
        flag, _, metavar = usage.partition(" ")
        text = text.replace("%", "%%").format(**facts)
        type_, default = kind.__annotations__[field], getattr(kind(), field)
        how = dict(option.how, help=text, dest=option.name)
        if type_ == Optional[bool]:  # None where neither of two is there
            pair = group.add_mutually_exclusive_group()
            pair.add_argument(flag, action="store_true", default=None, **how)
            how["help"] = option.off
            pair.add_argument("--no-" + flag[2:], action="store_false", default=None, **how)
        elif type_ is bool:
            group.add_argument(flag, action="store_true", **how)
        elif type_ == Sequence[str]:
            group.add_argument(flag, action="append", metavar=metavar, **how)
        else:
            how["help"] += " (default: %(default)s)" if default not in (None, "") else ""
            group.add_argument(flag, default=default, metavar=metavar or None, **how)
        if field == "network":
            add_networks_dir(group)
            add_engine(group, of_files=False)


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
            short.add_text(f"--help all lists {more} more options, in groups.")
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
