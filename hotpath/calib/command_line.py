"""The common options, exit codes and messages of the commands of ``calib``."""

import argparse
import contextlib
import os
import sys
from typing import Any, Callable, List, Optional, Sequence, Tuple, TypeVar

from tqdm import tqdm

from hotpath.base.cli import Parser, wrap_for_terminal
from hotpath.base.common_options import add_engine, add_networks_dir
from hotpath.base.exit_codes import exit_code
from hotpath.base.messages import counted, did_you_mean
from hotpath.calib.errors import BadRun
from hotpath.runtime import engines
from hotpath.video.clips import AnnotatedClip, find_clips

C = TypeVar("C", bound=Any)  # a clip or film, which has a name


def parser(name: str, description: Optional[str]) -> argparse.ArgumentParser:
    """An ``argparse.ArgumentParser`` of ``hotpath WORD`` or ``python -m NAME``."""
    return Parser(
        prog=name if name.startswith("hotpath ") else "python -m " + name,
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def add_network_options(cli: argparse.ArgumentParser, engine: bool = True) -> None:
    """Add ``--networks-dir`` and, unless ``engine`` is False, ``--engine``."""
    add_networks_dir(cli)
    if engine:
        add_engine(cli, engines.choices(of_files=True))


def add_workers(cli: argparse.ArgumentParser) -> None:
    """Add ``--jobs`` and ``--cluster``: who follows the clips."""
    cli.add_argument("--jobs", type=int, default=1, metavar="N", help="number of processes")
    text = "use the workers of this Dask scheduler (tcp://HOST:8786) instead of local processes"
    cli.add_argument("--cluster", metavar="ADDRESS", help=text)


def add_clip_options(cli: argparse.ArgumentParser, required: bool = True) -> None:
    """Add ``--clips`` and ``--only``."""
    cli.add_argument(
        "--clips",
        nargs="+",
        required=required,
        metavar="DIR",
        help="annotated clips, or folders of them",
    )
    cli.add_argument("--only", metavar="NAME,NAME", help="use only these clips")


def names_in(text: Optional[str]) -> List[str]:
    """Return the names of an option such as ``--only``, which are separated by commas."""
    return [name.strip() for name in text.split(",")] if text else []


def find_chosen_clips(folders: Sequence[str], only: Optional[str]) -> List[AnnotatedClip]:
    """Find the clips of ``--clips`` and ``--only``; print why one of these is left out.

    Raises:
        BadClips: there are none; see ``find_clips``.
        BadRun: no clip has one of the names.
    """
    names = names_in(only)

    def log(line: str) -> None:
        if not names or any(name in line for name in names):
            say(line)

    return chosen_clips(find_clips(folders, log), only)


def chosen_clips(clips: Sequence[C], only: Optional[str]) -> List[C]:
    """Return the clips named in ``only``, separated by commas, or all clips if it is None.

    Raises:
        BadRun: no clip has one of the names.
    """
    if not only:
        return list(clips)
    names, there = names_in(only), [clip.name for clip in clips]
    for name in names:
        if name not in there:
            hint = did_you_mean(name, there) or "there are: " + ", ".join(there)
            raise BadRun(f"no clip is called {name!r}; {hint}")
    return [clip for clip in clips if clip.name in names]


def split_clips(clips: Sequence[C], held_out: Optional[str]) -> Tuple[List[C], List[C]]:
    """Split clips into (clips for choices, held-out clips): every second one if none is named.

    Raises:
        BadRun: a part is empty, or no clip has one of the names.
    """
    held = chosen_clips(clips, held_out) if held_out else list(clips[1::2])
    seen = [clip for clip in clips if clip not in held]
    if not seen or not held:
        raise BadRun(
            f"{counted(len(clips), 'clip')} can't be parted: one to measure on and one held out "
            "are the least; name more with --clips"
        )
    return seen, held


def main(
    name: str,
    body: Callable[[argparse.Namespace], object],
    parser_of: Callable[[], argparse.ArgumentParser],
    stopped: str = "stopped; the same command goes on from here",
) -> Callable[..., int]:
    """Return the function ``main(arguments=None)`` of a command.

    Args:
        name: module of the command; a sentence about an error starts with it.
        body: function of the options; its result is the exit code when it is an int.
        parser_of: makes the command's parser.
        stopped: what Ctrl-C prints.

    Returns:
        A function that returns 0, or what ``body`` returns; 2 after a ``HotpathError``; 130 after
        Ctrl-C.
    """

    def run(options: argparse.Namespace) -> Any:
        try:
            check_out_path(getattr(options, "out", None))
            return body(options)
        except OSError as error:
            if error.filename is None:
                raise
            raise BadRun(f"{error.filename}: {error.strerror}; name another path") from None

    def main(arguments: Optional[Sequence[str]] = None) -> int:
        return exit_code(name, lambda: run(parser_of().parse_args(arguments)), stopped)

    return main


def check_out_path(path: Optional[str]) -> None:
    """Refuse a path of ``--out`` that can't be created, before hours of work.

    Raises:
        BadRun: a part of it is a file, too long a name, or a folder without permission.
    """
    if path is None:
        return
    absolute = place = os.path.abspath(path)
    try:
        while not _is_there(place):
            place = os.path.dirname(place)
        is_file = place == absolute and os.path.isfile(place) and bool(os.path.splitext(path)[1])
    except OSError as error:
        raise BadRun(
            f"--out {path}: can't be written ({error.strerror}); name another", what="not written"
        ) from None
    if not (is_file or os.path.isdir(place)):
        raise BadRun(f"--out {path}: {place} is not a folder; name another", what="not a folder")
    if not os.access(place, os.W_OK):
        raise BadRun(f"--out {path}: no permission to write into {place}")


def _is_there(path: str) -> bool:
    """Whether there is such a path; raises ``OSError`` where there can't be one."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def say_written(*paths: object) -> None:
    """Say which files a command wrote."""
    say("wrote " + ", ".join(map(str, paths)))


def say(text: str) -> None:
    """Print a line on standard error without breaking the bar; a closed one is no error."""
    with contextlib.suppress(OSError):
        tqdm.write(wrap_for_terminal(text, sys.stderr), file=sys.stderr)
