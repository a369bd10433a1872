"""The options of ``hotpath track``: their help. ``hotpath.app.records`` has types and defaults."""

import argparse
import re
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from hotpath.app import records
from hotpath.kernels import projects
from hotpath.kernels.cli import Parser, between, count, number
from hotpath.kernels.commands import advice, make, meant
from hotpath.runtime import DEFAULT_NETWORK, __version__, engines, networks
from hotpath.runtime.arguments import add_engine, add_networks_dir
from hotpath.runtime.network import DETECTORS
from hotpath.runtime.options import PRECISIONS, Options

DESCRIPTION = (
    "Follow one or several objects through a video, a camera or a network stream. "
    "Give the target as a box in the first frame (--box) or a point (--point), draw it with the "
    "mouse (--show), or select it in a browser (--page)."
)
# titles of groups; options with what the help calls their values, and after two blanks the help
OPTIONS = """
what to track, and where
--video SOURCE  cam0, /dev/video2, csi0, csi0@1920x1080:60/rotate180, an address (rtsp://, http://,
    udp://), a video file, - for a video on standard input, a folder of frames, pictures
    (img%04d.jpg, *.jpg), or a VOT, OTB, GOT-10k or UAV123 sequence; you may omit the word --video
--box X,Y,W,H  the target in the first frame, in 0-based pixels or in per cent of the frame
    (40%,30%,10%,20%); repeat it for several targets
--point X,Y  a point of the target in the first frame, in 0-based pixels or in per cent of the frame
    (50%,40%), instead of a box; each box and point is a target
--snug  replace a loose box by a tight one around the object in it
--boxes FILE  a file with one target X,Y,W,H a line
--fps N  frames a second of a folder of frames, or of a video, instead of its time stamps
--depth BITS  used bits of 16-bit pictures, such as 12 (default: their range without outliers)
--start TIME  begin at this time of a recording: seconds, M:SS or H:MM:SS
--frames N  stop after N frames
detector
--detector NAME|FILE.toml  find the target without a box, or the object at a point: a TOML or one of
    {detectors}
--class NAME,NAME  what the detector finds, such as person; not needed for objects at a point
--all  every object that the detector finds is a target
--every N  run the detector once in N frames
network and engine
--network NAME|FILE.toml  the network (default: the bundle's or the board's, else {network})
--precision  auto takes INT8 where the processor has instructions for it
--threads N  threads that run the network (default: {threads})
--bundle DIR  folder that `{engine}` wrote for this board
--board NAME  use the bundle of this board
--recover  search for a lost target in the whole picture (default: if the network can and the
    board's profile says so)
--no-recover  report that a target is lost, and do not search for it
--strict  find a lost target only by a long proof: fewer returns, fewer look-alikes
results, video and window
--results FILE  write the boxes: .csv, .jsonl, or .txt as MOTChallenge does; - is standard output
--append  keep the rows of an older --results file
--fov H[,V]  field of view of the camera, degrees; results and --publish then have directions
--save FILE.mp4  save the video with the box drawn
--show  open a window (default: if there is a display and nothing is written)
--no-show  open no window
--hold  hold a recording's last frame in the window until a key (default: in a terminal, or if a key
    or the mouse was used)
--no-hold  close the window two seconds after a recording's last frame
--profile  print milliseconds a step at the end
page in the browser
--page  watch and control the run from a browser; --box is then optional
--page-host ADDRESS  address to listen on, 0.0.0.0 for all; the printed link contains the access
    token
--page-port N  port; 0 takes any free one
{projects}
picture and boxes to other programs
--stream ADDRESS  send the picture as H.264: rtp://HOST:PORT, udp://HOST:PORT (MPEG-TS), or to a
    server such as MediaMTX: rtsp://HOST:PORT/PATH; repeat it for several
--stream-login FILE  file with USER:PASSWORD of an rtsp server (default: the variable STREAM_LOGIN)
--publish udp://HOST:PORT  send one JSON datagram a frame; or ros:/TOPIC: messages of ROS 2; or
    mqtt://USER@HOST/PREFIX, mqtts:// (docs/use.md, Many cameras)
program
--quiet  print no progress and no summary
--json  print a summary of the run as JSON on standard output
"""
# what few runs need: keys of the file of --config that are no options
KEYS = """
only in a file
--page-fps N  most pictures a second
--page-width PX  largest width of the pictures
{projects_keys}
--stream-kbps N  bit rate of the picture
--stream-plain  draw no box into the picture
"""
PLUGS = projects.plugs()
# the records, with what the names of their fields begin with in the options
PARTS: Tuple[Tuple[str, Any], ...] = (
    ("", records.SourceOptions),
    ("", records.TargetOptions),
    ("", records.OutputOptions),
    ("page_", records.PageOptions),
    ("stream_", records.StreamOptions),
    ("", records.LinkOptions),
    *(part for plug in PLUGS for part in plug.parts),
)
FIELDS = {  # name -> type and default
    prefix + field: (kind.__annotations__[field], getattr(kind(), field))
    for prefix, kind in PARTS + (("", Options),)
    for field in kind._fields
}
DEST = {  # options that are not called as their fields
    "class": "classes",
    "page": "page_page",
    "stream": "stream_addresses",
}
COMMON = (  # what the short help lists
    *("video", "box", "point", "detector", "class", "all", "network", "results", "save", "show"),
    *("page", "page-host", *(name for plug in PLUGS for name in plug.common)),
    *("json", "profile"),
)
OF_PAGE = ("host", "port")  # options that mean nothing without --page
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
    for name in () if options.page_page else OF_PAGE:
        key = "page_" + name
        if getattr(options, key) != cli.get_default(key):
            cli.error(f"--page-{name} needs --page")
    if options.completion:
        from hotpath.app.cli.config import completion

        print(completion(cli), end="")
        cli.exit()
    return options


def records_of(options: argparse.Namespace, log: Callable[[str], None]) -> records.RunOptions:
    """The options as records, one for each part of the program; ``log`` is for the network."""
    values = {name: value for name, value in vars(options).items() if value is not None}
    parts: List[Any] = []
    for prefix, kind in PARTS:
        names = {field: prefix + field for field in kind._fields}
        parts.append(kind(**{f: values[name] for f, name in names.items() if name in values}))
    source, targets, outputs, page, stream, links, *others = parts
    own = {name: values[name] for name in Options._fields if name in values}
    network = Options(**own, log=None if options.quiet else log)
    links = links._replace(page=page, stream=stream, others=tuple(others))
    links = links._replace(video=str(options.video))
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
    program = _add_options(cli, OPTIONS)
    text = "a file of options by their names, such as box = ..."
    program.add_argument("--config", metavar="FILE.toml", help=text)
    text = "print a script that completes options in bash and zsh"
    program.add_argument("--completion", action="store_true", help=text)
    text = "list the common options; with the word all, every option"
    program.add_argument("-h", "--help", action=_Help, nargs="?", choices=("all",), help=text)
    program.add_argument("--version", action="version", version=f"hotpath-tracker {__version__}")
    if of_file:
        _add_options(cli, KEYS)
    text = "list the cameras, then end"
    program.add_argument("--list-cameras", action="store_true", help=text)
    return cli


def _add_options(cli: argparse.ArgumentParser, table: str) -> Any:
    """Add the options of a table; returns the last group."""
    table = table.format(
        detectors=", ".join(networks.names(DETECTORS)),
        engine=make("engine"),
        network=DEFAULT_NETWORK,
        projects="\n".join(plug.options.strip() for plug in PLUGS),
        projects_keys="\n".join(plug.keys.strip() for plug in PLUGS),
        threads=engines.THREADS,
    )
    group: Any = None
    pair: Any = None
    for block in re.split(r"\n(?=\S)", table.strip()):
        usage, _, text = block.partition("  ")
        name, _, metavar = usage.partition(" ")
        text = " ".join(text.split()).replace("%", "%%")
        if not name.startswith("--"):
            group = cli.add_argument_group(usage)
            continue
        key = name[2:].replace("-", "_")
        key = key if key not in ("no_recover", "no_show", "no_hold") else key[3:]
        dest = DEST.get(key, key)
        kind, default = FIELDS[dest]
        how: Dict[str, Any] = dict(VALUES.get(key, {}), dest=dest)
        if kind == Optional[bool]:  # None where neither of two is there
            opposite = name.startswith("--no-")
            pair = pair if opposite else group.add_mutually_exclusive_group()
            action = "store_false" if opposite else "store_true"
            pair.add_argument(name, action=action, default=None, help=text, **how)
            continue
        if kind is bool:
            how["action"] = "store_true"
        elif kind == Sequence[str]:
            how.update(action="append", metavar=metavar)
        else:
            how.update(default=default, metavar=metavar or None)
            text += " (default: %(default)s)" if default not in (None, "") else ""
        group.add_argument(name, help=text, **how)
        if key == "network":
            add_networks_dir(group)
            add_engine(group, of_files=False)
    return group


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


def _time(text: str) -> float:
    """Seconds of "80", "1:20" or "1:02:03.5"."""
    parts = text.split(":")
    try:
        values = [float(part) for part in parts]
    except ValueError:
        values = []
    if not 1 <= len(values) <= 3 or not all(0 <= value < float("inf") for value in values):
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 80, 1:20 or 1:02:03.5")
    return sum(value * 60.0**place for place, value in enumerate(reversed(values)))


def _fov(text: str) -> Tuple[float, ...]:
    """One or two angles."""
    values = tuple(number(1, 175)(part) for part in text.split(","))
    if len(values) > 2:
        raise argparse.ArgumentTypeError("give one or two angles, horizontal and vertical")
    return values


def _joined_boxes(arguments: List[str]) -> List[str]:
    """Join --box and a value that starts with a minus, which argparse would take for an option."""
    joined: List[str] = []
    for argument in arguments:
        if joined and joined[-1] == "--box" and argument[:1] == "-":
            joined[-1] += "=" + argument
        else:
            joined.append(argument)
    return joined


VALUES: Dict[str, Dict[str, Any]] = {  # arguments of argparse, besides those that records tell
    "fps": {"type": number(0.001, 100000)},
    "depth": {"type": between(9, 16)},
    "start": {"type": _time},
    "frames": {"type": count},
    "every": {"type": count},
    "precision": {"choices": PRECISIONS},
    "threads": {"type": between(1, 1024)},
    "page_port": {"type": between(0, 65535)},
    "page_fps": {"type": between(1, 240)},
    "page_width": {"type": between(64, 7680)},
    "fov": {"type": _fov},
    "stream_kbps": {"type": between(50, 100000)},
}
for _plug in PLUGS:
    DEST.update(_plug.dest)
    VALUES.update(_plug.values)
