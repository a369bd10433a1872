"""The options of ``hotpath track``, in groups."""

import argparse
import ipaddress
import math
import os
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from hotpath.app import records
from hotpath.kernels.cli import Parser
from hotpath.kernels.commands import HERE, make, meant
from hotpath.runtime import DEFAULT_NETWORK, __version__, engines, networks, plan
from hotpath.runtime.arguments import add_engine, add_networks_dir
from hotpath.runtime.network import DETECTORS
from hotpath.runtime.options import Options, given_in
from hotpath.video import hardware

DESCRIPTION = (
    "Follow one or several objects through a video, a camera or a network stream. "
    "Give the target as a box in the first frame (--box) or a point (--point), draw it with the "
    "mouse (--show), or "
    "select it in a browser (--page) or in a ground station (--mavlink)."
)
COMMON = (  # what the short help lists
    *("video", "box", "point", "detector", "class", "all", "network", "results", "save", "show"),
    *("page", "page-host", "mavlink", "json", "profile"),
)
NEEDS = {  # an output -> the options that mean nothing without it
    "page": ("host", "port"),
}
NUMBERS = os.path.join(HERE, "app", "links", "gimbal")
MOST = 10**9  # of what is counted
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
        hint = meant(word, (name[2:] for name in actions if name[:2] == "--"), "--")
        if "--" + word in parser(of_file=True)._option_string_actions:
            hint = f"write {word} = ... into a file for --config"
        cli.error("unrecognized arguments: " + " ".join(unknown) + (hint and f" ({hint})"))
    if words:  # which overrule a file's
        named = [word.split("=")[0] for word in arguments if word.startswith("--v")]
        is_given = any("--video".startswith(name) for name in named)  # it may be shortened
        words = [options.video] * is_given + words
        options.video = words if len(words) > 1 else words[0]
    for output, names in NEEDS.items():
        for name in names:
            key = f"{output}_{name}"
            if not getattr(options, output) and getattr(options, key) != cli.get_default(key):
                cli.error(f"--{output}-{name} needs --{output}")
    if options.completion:
        from hotpath.app.cli.config import completion

        print(completion(cli), end="")
        cli.exit()
    return options


def records_of(options: argparse.Namespace, log: Callable[[str], None]) -> records.RunOptions:
    """The options as records, one for each part of the program; ``log`` is for the network."""
    values = dict(vars(options))
    network = Options(**given_in(values), log=None if options.quiet else log)
    links = records.LinkOptions(
        _record(records.PageOptions, values, "page_"),
        _record(records.MavlinkOptions, dict(values, mavlink_url=options.mavlink), "mavlink_"),
        _record(records.GimbalOptions, dict(values, gimbal_name=options.gimbal), "gimbal_"),
        _record(records.StreamOptions, dict(values, stream_addresses=options.stream), "stream_"),
        publish=options.publish or "",
        fov=options.fov,
        video=str(options.video),
        results=options.results,
        save=options.save,
    )
    return records.RunOptions(
        _record(records.SourceOptions, values),
        _record(records.TargetOptions, values),
        network,
        _record(records.OutputOptions, values),
        links._replace(mavlink=links.mavlink._replace(delay_s=options.link_delay)),
    )


def _record(kind: Any, values: Dict[str, Any], prefix: str = "") -> Any:
    """A record of the options whose names, with a prefix, are its fields."""
    names = {field: field if field == prefix[:-1] else prefix + field for field in kind._fields}
    return kind(
        **{
            field: values[name]
            for field, name in names.items()
            if values.get(name) is not None  # else the record's default
        }
    )


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
    _add_source(cli.add_argument_group("what to track, and where"))
    _add_detector(cli.add_argument_group("detector"))
    _add_network(cli.add_argument_group("network and engine"))
    _add_outputs(cli.add_argument_group("results, video and window"))
    _add_page(cli.add_argument_group("page in the browser"))
    _add_vehicle(cli.add_argument_group("vehicle (MAVLink)"))
    _add_streams(cli.add_argument_group("picture and boxes to other programs"))
    program = cli.add_argument_group("program")
    _value(program, "--config FILE.toml", "a file of options by their names, such as box = ...")
    _switch(program, "--quiet", "print no progress and no summary")
    _switch(program, "--json", "print a summary of the run as JSON on standard output")
    _switch(program, "--completion", "print a script that completes options in bash and zsh")
    text = "list the common options; with the word all, every option"
    program.add_argument("-h", "--help", action=_Help, nargs="?", choices=("all",), help=text)
    program.add_argument("--version", action="version", version=f"hotpath-tracker {__version__}")
    if of_file:
        _add_keys(cli.add_argument_group("only in a file"))
    lists = cli.add_argument_group("lists")
    _switch(lists, "--list-cameras", "list the cameras, then end")
    _switch(lists, "--list-networks", "list the networks, then end")
    return cli


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


def _add_source(group: argparse._ArgumentGroup) -> None:
    _value(
        group,
        "--video SOURCE",
        "cam0, /dev/video2, csi0, csi0@1920x1080:60/rotate180, an address (rtsp://, http://, "
        "udp://), a video file, - for a video on standard input, a folder of frames, pictures "
        "(img%%04d.jpg, *.jpg), or a VOT, OTB, GOT-10k or UAV123 sequence; you may omit the word "
        "--video",
    )
    _value(
        group,
        "--box X,Y,W,H",
        "the target in the first frame, in 0-based pixels or in per cent of the frame "
        "(40%%,30%%,10%%,20%%); repeat it for several targets",
        action="append",
    )
    _value(
        group,
        "--point X,Y",
        "a point of the target in the first frame, in 0-based pixels or in per cent of the frame "
        "(50%%,40%%), instead of a box; each box and point is a target",
        action="append",
    )
    text = "replace a loose box by a tight one around the object in it"
    _switch(group, "--snug", text)
    _value(group, "--boxes FILE", "a file with one target X,Y,W,H a line")
    _add_reading(group)


def _add_reading(group: argparse._ArgumentGroup) -> None:
    """How the source is read."""
    text = "frames a second of a folder of frames, or of a video, instead of its time stamps"
    _value(group, "--fps N", text, type=_number(0.001, 100000))
    text = "used bits of 16-bit pictures, such as 12 (default: their range without outliers)"
    _value(group, "--depth BITS", text, type=between(9, 16))
    _choice(
        group,
        "--decoder",
        hardware.DECODERS,
        hardware.SOFTWARE,
        "what decodes a video or a stream: the processor, or hardware that PyAV's FFmpeg "
        "reaches, with the processor where that does not work",
    )
    text = "begin at this time of a recording: seconds, M:SS or H:MM:SS"
    _value(group, "--start TIME", text, type=_time)
    _value(group, "--frames N", "stop after N frames", type=count)


def _add_detector(group: argparse._ArgumentGroup) -> None:
    _value(
        group,
        "--detector NAME|FILE.toml",
        "find the target without a box, or the object at a point: a TOML "
        f"or one of {', '.join(networks.names(DETECTORS))}",
    )
    text = "what the detector finds, such as person; not needed for objects at a point"
    _value(group, "--class NAME,NAME", text, dest="classes")
    _switch(group, "--all", "every object that the detector finds is a target")
    _value(group, "--every N", "run the detector once in N frames", 10, type=count)


def _add_network(group: argparse._ArgumentGroup) -> None:
    text = f"the network (default: the bundle's or the board's, else {DEFAULT_NETWORK})"
    _value(group, "--network NAME|FILE.toml", text)
    add_networks_dir(group)
    add_engine(group, of_files=False)
    _choice(
        group,
        "--precision",
        plan.PRECISIONS,
        plan.AUTO,
        "auto takes INT8 where the processor has instructions for it",
    )
    _value(
        group, "--threads N", "threads that run the network", engines.THREADS, type=between(1, 1024)
    )
    _value(group, "--bundle DIR", f"folder that `{make('engine')}` wrote for this board")
    _value(group, "--board NAME", "use the bundle of this board")
    _either(
        group,
        "recover",
        "search for a lost target in the whole picture (default: if the network can and "
        "the board's profile says so)",
        "report that a target is lost, and do not search for it",
    )
    text = "find a lost target only by a long proof: fewer returns, fewer look-alikes"
    _switch(group, "--strict", text)


def _add_outputs(group: argparse._ArgumentGroup) -> None:
    text = "write the boxes: .csv, .jsonl, or .txt as MOTChallenge does; - is standard output"
    _value(group, "--results FILE", text)
    _switch(group, "--append", "keep the rows of an older --results file")
    _value(group, "--save FILE.mp4", "save the video with the box drawn")
    text = "open a window (default: if there is a display and nothing is written)"
    _either(group, "show", text, "open no window")
    _either(
        group,
        "hold",
        "hold a recording's last frame in the window until a key (default: in a terminal, or if a "
        "key or the mouse was used)",
        "close the window two seconds after a recording's last frame",
    )
    _switch(group, "--profile", "print milliseconds a step at the end")


def _add_page(group: argparse._ArgumentGroup) -> None:
    _switch(group, "--page", "watch and control the run from a browser; --box is then optional")
    _value(
        group,
        "--page-host ADDRESS",
        "address to listen on, 0.0.0.0 for all; the printed link contains the access token",
        "127.0.0.1",
    )
    _value(group, "--page-port N", "port; 0 takes any free one", 8600, type=between(0, 65535))


def _add_vehicle(group: argparse._ArgumentGroup) -> None:
    _value(
        group,
        "--mavlink URL",
        "be a MAVLink camera that tracks: udpout:HOST:PORT, udpin:HOST:PORT, tcp:HOST:PORT, "
        "tcpin:HOST:PORT or serial:DEVICE:BAUD; --box is then optional",
    )
    ids = between(1, 255)
    _value(group, "--mavlink-system N", "system id of the vehicle", 1, type=ids)
    _value(group, "--mavlink-component N", "component id of the camera", 100, type=ids)
    text = "sign packets, and accept only signed ones; 32 bytes or 64 hex digits"
    _value(group, "--mavlink-key FILE", text)
    text = "take packets at udpin and tcpin only from these, such as 10.0.0.5,192.168.1.0/24"
    _value(group, "--mavlink-allow ADDRESSES", text, type=_networks)
    text = "a click without a time belongs to the picture of that many seconds ago"
    _value(group, "--link-delay S", text, 0.2, type=_number(0, 10))
    text = "field of view of the camera, degrees; results and --publish then have directions"
    _value(group, "--fov H[,V]", text, type=_fov)
    _value(
        group,
        "--gimbal FILE.toml",
        "turn the vehicle's gimbal towards the target; needs --mavlink and --fov; the file "
        f"replaces numbers of {NUMBERS}/gimbal.toml. Or onvif://USER@HOST:PORT: turn that PTZ "
        "camera",
        nargs="?",
        const="",
    )
    text = "file with USER:PASSWORD of the PTZ camera (default: the variable GIMBAL_LOGIN)"
    _value(group, "--gimbal-login FILE", text)
    text = "what `hotpath gimbal` or `hotpath ptz calibrate` measured; without, it goes slowly"
    _value(group, "--gimbal-calibration FILE", text)


def _add_streams(group: argparse._ArgumentGroup) -> None:
    _value(
        group,
        "--stream ADDRESS",
        "send the picture as H.264: rtp://HOST:PORT, udp://HOST:PORT (MPEG-TS), or to a server "
        "such as MediaMTX: rtsp://HOST:PORT/PATH; repeat it for several",
        action="append",
    )
    text = "file with USER:PASSWORD of an rtsp server (default: the variable STREAM_LOGIN)"
    _value(group, "--stream-login FILE", text)
    text = "send one JSON datagram a frame; or ros:/TOPIC: messages of ROS 2; or "
    text += "mqtt://USER@HOST/PREFIX, mqtts:// (docs/use.md, Many cameras)"
    _value(group, "--publish udp://HOST:PORT", text)


def _add_keys(group: argparse._ArgumentGroup) -> None:
    """What few runs need: keys of the file of ``--config`` that are no options."""
    _value(group, "--page-fps N", "most pictures a second", type=between(1, 240))
    _value(group, "--page-width PX", "largest width of the pictures", type=between(64, 7680))
    text = "what the heartbeat says; `onboard` is what ArduPilot's camera tracking looks for"
    group.add_argument("--mavlink-type", choices=("camera", "onboard"), help=text)
    text = "zoom until the target fills this share of the frame's width or height, such as 0.2"
    _value(group, "--gimbal-zoom SHARE", text, type=_number(0.01, 0.9))
    text = "for simulators: let a recording steer; else --gimbal needs a live source"
    _switch(group, "--gimbal-recording", text)
    _value(group, "--stream-kbps N", "bit rate of the picture", type=between(50, 100000))
    _switch(group, "--stream-plain", "draw no box into the picture")


def _value(
    group: argparse._ArgumentGroup, usage: str, text: str, default: Any = None, **more: Any
) -> None:
    """Add an option with a value. ``usage``: its name, and what the help calls the value."""
    name, metavar = usage.split(" ")
    text += "" if default is None else " (default: %(default)s)"
    group.add_argument(name, metavar=metavar, help=text, default=default, **more)


def _choice(
    group: argparse._ArgumentGroup, name: str, choices: Sequence[str], default: str, text: str
) -> None:
    """Add an option whose value is one of several words."""
    group.add_argument(
        name, choices=choices, default=default, help=text + " (default: %(default)s)"
    )


def _switch(group: argparse._ArgumentGroup, name: str, text: str) -> None:
    """Add an option without a value."""
    group.add_argument(name, action="store_true", help=text)


def _either(group: argparse._ArgumentGroup, name: str, yes: str, no: str) -> None:
    """Add --NAME and --no-NAME; None if neither is given."""
    pair = group.add_mutually_exclusive_group()
    pair.add_argument("--" + name, dest=name, action="store_true", default=None, help=yes)
    pair.add_argument("--no-" + name, dest=name, action="store_false", help=no)


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


def _number(
    low: float, high: float = math.inf, kind: Callable[[str], float] = float
) -> Callable[[str], float]:
    """A function that reads a number between two limits."""
    limits = f"from {low:g}" + (f" to {high:g}" if high < MOST else "")

    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            whole = "whole " if kind is int else ""
            raise argparse.ArgumentTypeError(f"{text!r} is not a {whole}number {limits}")
        return value

    return read


def between(low: int, high: float) -> Callable[[str], float]:
    """A function that reads a whole number between two limits."""
    return _number(low, high, int)


count = between(1, MOST)  # reads a whole number from 1


def _fov(text: str) -> Tuple[float, ...]:
    """One or two angles."""
    values = tuple(_number(1, 175)(part) for part in text.split(","))
    if len(values) > 2:
        raise argparse.ArgumentTypeError("give one or two angles, horizontal and vertical")
    return values


def _networks(text: str) -> Tuple[Any, ...]:
    """Addresses or networks, with commas."""
    try:
        return tuple(ipaddress.ip_network(part.strip(), False) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}; give addresses or networks") from None


def _joined_boxes(arguments: List[str]) -> List[str]:
    """Join --box and a value that starts with a minus, which argparse would take for an option."""
    joined: List[str] = []
    for argument in arguments:
        if joined and joined[-1] == "--box" and argument[:1] == "-":
            joined[-1] += "=" + argument
        else:
            joined.append(argument)
    return joined
