"""python -m hotpath_lab.public: fetch the public sequences that README's figures are of.

    python -m hotpath_lab.public --data DIR
    hotpath evaluate --benchmark public --data DIR

``public.csv`` names repository, commit, path and sha256 of each sequence. Git takes only their
folders (1.9 GB). DIR/otb100, DIR/uav123_10fps and DIR/dtb70 then have the layout of their authors,
with the boxes of the toolkits. The same command continues after a stop, and fetches again what is
damaged. The frames are for research: don't pass them on.
"""

import argparse
import contextlib
import itertools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from hotpath.base.commands import counted
from hotpath.calib import command
from hotpath.calib.command import say
from hotpath.calib.errors import BadRun
from hotpath.runtime.errors import BadClips
from hotpath_lab import benchmarks
from hotpath_lab.benchmarks import PublicRow

HOST = "https://github.com/"
# The upload-pack of a plain local clone, which then serves any commit and leaves files out.
LOCAL = "git -c uploadpack.allowFilter=true -c uploadpack.allowAnySHA1InWant=true upload-pack"


class Source(NamedTuple):
    """Where a folder or file is published."""

    repository: str
    commit: str
    path: str


UAV_TOOLS = (
    "JinJinSang/Tools-Package-for-UAV-Tracking",
    "7c60898e3772794ad1610fa30e760c680b28986e",
)
BOXES = {
    "otb100": Source(
        "foolwood/DaSiamRPN", "167d0dbb38162cf34c74d51c540a492faf3d6e01", "code/data/OTB2015.json"
    ),
    "uav123_10fps": Source(*UAV_TOOLS, "Benchmark_UAV123_10fps/anno/UAV123_10fps"),
    "dtb70": Source(*UAV_TOOLS, "Benchmark_DTB70/anno"),
}


class Layout(NamedTuple):
    """Where a set's authors put frames and boxes. NAME is the sequence, FOLDER without ``.1``."""

    frames: str
    boxes: str
    frame: str  # name of a frame


LAYOUTS = {
    "otb100": Layout("FOLDER/img", "FOLDER/groundtruth_rectTARGET.txt", "{:04d}.jpg"),
    "uav123_10fps": Layout(
        "data_seq/UAV123_10fps/FOLDER", "anno/UAV123_10fps/NAME.txt", "{:06d}.jpg"
    ),
    "dtb70": Layout("NAME/img", "NAME/groundtruth_rect.txt", "{:05d}.jpg"),
}


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    cli = command.parser("hotpath_lab.public", __doc__)
    cli.add_argument("--data", required=True, metavar="DIR", help="folder to write the sets to")
    cli.add_argument(
        "--repositories",
        metavar="DIR",
        help="take clones in DIR/OWNER/NAME in place of those of " + HOST,
    )
    return cli


def run(options: argparse.Namespace) -> int:
    """Fetch what is missing; returns 2 if something still is."""
    if not shutil.which("git"):
        raise BadRun("git is not installed; install it", what="no git")
    data, rows = Path(options.data), benchmarks.public_rows()
    lacking = _lacking(rows, data)
    failures: dict[str, str] = {}
    _put_boxes(lacking, options.repositories, data)
    by_commit = sorted(lacking, key=lambda row: (row.repository, row.commit))
    for (repository, commit), group in itertools.groupby(by_commit, lambda row: row[-4:-2]):
        fetched = list(group)
        say(f"{repository}: {', '.join(row.name for row in fetched)}")
        try:
            paths = [row.path for row in fetched]
            with _checkout(repository, commit, paths, options.repositories, data) as tree:
                for row in fetched:
                    _put_frames(row, tree / row.path, data)
        except BadRun as error:
            failures.update(dict.fromkeys((row.name for row in fetched), str(error)))
    still = _lacking(rows, data) if lacking else []
    for row in still:
        why = failures.get(row.name, "frames or boxes differ from those of public.csv")
        say(f"missing: {row.set} {row.name}: {why}")
    say(f"{data}: {len(rows) - len(still)} of {counted(len(rows), 'sequence')} are there")
    return 2 if still else 0


def _lacking(rows: Sequence[PublicRow], data: Path) -> list[PublicRow]:
    """The sequences that are not there, or whose sha256 differs."""
    hashes = {}
    for name in sorted({row.set for row in rows}):
        with contextlib.suppress(BadClips):
            for clip in benchmarks.sequences(name, data / name).clips:
                hashes[name, clip.name] = clip.sha256
    return [row for row in rows if hashes.get((row.set, row.name)) != row.sha256]


def _put_frames(row: PublicRow, source: Path, data: Path) -> None:
    """Copy a sequence's frames, named as its set names them."""
    layout = LAYOUTS[row.set]
    folder = data / row.set / _filled(layout.frames, row.name)
    folder.mkdir(parents=True, exist_ok=True)
    numbers = {}
    for path in source.glob("*.jpg"):
        digits = re.search("[0-9]+$", path.stem)
        if digits and path.is_file() and not path.is_symlink():
            numbers[int(digits[0])] = path
    for number in range(row.first, row.first + row.frames):
        if number not in numbers:
            raise BadRun(f"{row.repository} has no frame {number} of {row.path}")
        shutil.copyfile(numbers[number], folder / layout.frame.format(number))


def _put_boxes(rows: Sequence[PublicRow], clones: str | None, data: Path) -> None:
    """Write the toolkits' boxes of sequences."""
    for source in BOXES.values():
        of_source = [row for row in rows if BOXES[row.set] == source]
        if not of_source:
            continue
        say(f"{source.repository}: boxes")
        with _checkout(*source[:2], [source.path], clones, data) as tree:
            annotation = tree / source.path
            table = json.loads(annotation.read_text()) if annotation.suffix == ".json" else {}
            for row in of_source:
                path = data / row.set / _filled(LAYOUTS[row.set].boxes, row.name)
                path.parent.mkdir(parents=True, exist_ok=True)
                if table:
                    key = row.name[:1].lower() + row.name[1:].replace(".", "_")
                    boxes = table[key]["gt_rect"]
                    path.write_text("".join("{},{},{},{}\n".format(*box) for box in boxes))
                else:
                    shutil.copyfile(annotation / f"{row.name}.txt", path)


def _filled(pattern: str, name: str) -> str:
    """Fill in a pattern of ``Layout``: OTB's target is ".1", UAV123's folder has no "_1"."""
    folder = re.sub(r"[._]\d+$", "", name)
    target = name[len(folder) :] if "." in name else ""
    return pattern.replace("NAME", name).replace("FOLDER", folder).replace("TARGET", target)


@contextlib.contextmanager
def _checkout(
    repository: str, commit: str, paths: Sequence[str], clones: str | None, data: Path
) -> Iterator[Path]:
    """Check out some paths of a commit into a folder that is there until the block ends.

    Raises:
        BadRun: git could not fetch it.
    """
    tree = data / ".fetching"
    shutil.rmtree(tree, ignore_errors=True)  # of a run that was stopped
    url = f"{HOST}{repository}.git"
    if clones:
        url = str((Path(clones) / repository).resolve())
        if not os.path.isdir(url):
            raise BadRun(f"there is no clone {url}; clone {HOST}{repository} there")
    settings = {
        "remote.origin.url": url,
        "remote.origin.promisor": "true",
        "remote.origin.partialclonefilter": "blob:none",
        "core.sparseCheckout": "true",
        "core.autocrlf": "false",
    }
    if clones:
        settings["remote.origin.uploadpack"] = LOCAL
    _git(["init", "-q", str(tree)])
    for key, value in settings.items():
        _git(["-C", str(tree), "config", key, value])
    sparse = tree / ".git" / "info" / "sparse-checkout"
    sparse.parent.mkdir(exist_ok=True)
    sparse.write_text("".join(f"/{path}\n" for path in paths))
    try:
        shallow = ["fetch", "-q", "--depth", "1", "--filter=blob:none", "origin", commit]
        _git(["-C", str(tree), *shallow])
        _git(["-C", str(tree), "checkout", "-q", commit])
        yield tree
    finally:
        shutil.rmtree(tree, ignore_errors=True)


def _git(words: Sequence[str]) -> None:
    """Run git; ``BadRun`` with the last line of what it says."""
    silent = dict(os.environ, GIT_TERMINAL_PROMPT="0", GIT_LFS_SKIP_SMUDGE="1")
    done = subprocess.run(["git", *words], env=silent, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise BadRun(f"git could not fetch it: {said}; run the command again", what="not fetched")


main = command.main("hotpath_lab.public", run, parser)

if __name__ == "__main__":
    raise SystemExit(main())
