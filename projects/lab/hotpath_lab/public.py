"""python -m hotpath_lab.public: fetch the public sequences, clips and films of our figures.

    python -m hotpath_lab.public --data DIR
    python -m hotpath_lab.public --data DIR --also clips,films
    hotpath evaluate --benchmark public --data DIR

``public.csv`` names repository, commit, path and sha256 of each sequence. Git takes only their
folders (1.9 GB). DIR/otb100, DIR/uav123_10fps and DIR/dtb70 then have the layout of their authors,
with the boxes of the toolkits. The same command continues after a stop, and fetches again what is
damaged. The frames are for research: don't pass them on.

``clips.csv`` names the 21 clips: those of the part eleven give the long films of the half
``development``, those of ten the half ``report``. ``films.csv`` names the films of
docs/results/real and docs/results/motorways, and those that were only looked at. The column role
says what settings were chosen on. --also writes to DIR/clips and DIR/films what can be had as it
was used. Of a clip that was decoded or re-encoded (the column changed), only the place is known.
"""

import argparse
import contextlib
import csv
import hashlib
import itertools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from hotpath.base.messages import counted
from hotpath.calib import command_line
from hotpath.calib.command_line import say
from hotpath.calib.errors import BadRun
from hotpath.runtime.errors import BadClips
from hotpath.video.folder import picture_paths
from hotpath_lab import benchmarks
from hotpath_lab.benchmarks import PublicRow

HOST = "https://github.com/"
# The upload-pack of a plain local clone, which then serves any commit and leaves files out.
LOCAL = "git -c uploadpack.allowFilter=true -c uploadpack.allowAnySHA1InWant=true upload-pack"


class PublishedSource(NamedTuple):
    """Where a folder or file is published."""

    repository: str
    commit: str
    path: str


UAV_TOOLS = (
    "JinJinSang/Tools-Package-for-UAV-Tracking",
    "7c60898e3772794ad1610fa30e760c680b28986e",
)
BOXES = {
    "otb100": PublishedSource(
        "foolwood/DaSiamRPN", "167d0dbb38162cf34c74d51c540a492faf3d6e01", "code/data/OTB2015.json"
    ),
    "uav123_10fps": PublishedSource(*UAV_TOOLS, "Benchmark_UAV123_10fps/anno/UAV123_10fps"),
    "dtb70": PublishedSource(*UAV_TOOLS, "Benchmark_DTB70/anno"),
}


class PublishedLayout(NamedTuple):
    """Where a set's authors put frames and boxes. NAME is the sequence, FOLDER without ``.1``."""

    frames: str
    boxes: str
    frame: str  # name of a frame


LAYOUTS = {
    "otb100": PublishedLayout("FOLDER/img", "FOLDER/groundtruth_rectTARGET.txt", "{:04d}.jpg"),
    "uav123_10fps": PublishedLayout(
        "data_seq/UAV123_10fps/FOLDER", "anno/UAV123_10fps/NAME.txt", "{:06d}.jpg"
    ),
    "dtb70": PublishedLayout("NAME/img", "NAME/groundtruth_rect.txt", "{:05d}.jpg"),
}


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    cli = command_line.parser("hotpath_lab.public", __doc__)
    cli.add_argument("--data", required=True, metavar="DIR", help="folder to write the sets to")
    text = "clips, films or both: fetch those of clips.csv and films.csv as well"
    cli.add_argument("--also", default="", metavar="clips,films", help=text)
    cli.add_argument(
        "--repositories",
        metavar="DIR",
        help="use clones in DIR/OWNER/NAME instead of those of " + HOST,
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
    others = [_fetch_named(kind, data, options) for kind in filter(None, options.also.split(","))]
    return 2 if still or any(others) else 0


def named(kind: str) -> list[dict[str, str]]:
    """The rows of ``clips.csv`` or ``films.csv``.

    Raises:
        BadRun: there is no such file.
    """
    path = Path(__file__).with_name(f"{kind}.csv")
    if kind not in ("clips", "films"):
        raise BadRun(f"--also {kind}: there are clips and films")
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _fetch_named(kind: str, data: Path, options: argparse.Namespace) -> int:
    """Fetch what is missing of clips or films; returns how many of them are missing still."""
    rows = named(kind)
    missing = 0
    for row in rows:
        folder = data / kind
        place = folder / (row["name"] + Path(row["path"]).suffix * (kind == "films"))
        if not row["sha256"]:
            say(f"left out: {row['name']} was {row['changed']}; see {HOST}{row['repository']}")
        elif not _is_whole(place, row):
            say(f"{row['repository']}: {row['name']}")
            missing += not _fetched(place, row, options.repositories, data)
    there = sum(bool(row["sha256"]) for row in rows) - missing
    say(f"{data / kind}: {there} of {counted(len(rows), kind[:-1])} are there")
    return missing


def _fetched(place: Path, row: dict[str, str], clones: str | None, data: Path) -> bool:
    """Fetch one clip or film; returns whether its sha256 is right, and says why it is not."""
    paths = [row[key] for key in ("path", "boxes") if row.get(key)]
    try:
        with _checkout(row["repository"], row["commit"], paths, clones, data) as tree:
            source = tree / row["path"]
            place.parent.mkdir(parents=True, exist_ok=True)
            if source.is_file() and not source.is_symlink():
                shutil.copyfile(source, place)
            elif source.is_dir():
                (place / "img").mkdir(parents=True, exist_ok=True)
                for picture in picture_paths(str(source))[: int(row["frames"])]:
                    shutil.copyfile(picture, place / "img" / Path(picture).name)
                shutil.copyfile(tree / row["boxes"], place / Path(row["boxes"]).name)
    except BadRun as error:
        say(f"missing: {row['name']}: {error}")
        return False
    whole = _is_whole(place, row)
    if not whole:
        say(f"missing: {row['name']} differs from that of the list")
    return whole


def _is_whole(place: Path, row: dict[str, str]) -> bool:
    """Whether a film, or the frames of a clip one after the other, have the sha256 of a row."""
    digest = hashlib.sha256()
    pictures = place / "img"
    for path in picture_paths(str(pictures)) if pictures.is_dir() else [place] * place.is_file():
        digest.update(Path(path).read_bytes())
    return digest.hexdigest() == row["sha256"]


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
    """Fill in a ``PublishedLayout``: OTB's target is ".1", UAV123's folder has no "_1"."""
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
        messages = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise BadRun(
            f"git could not fetch it: {messages}; run the command again", what="not fetched"
        )


main = command_line.main("hotpath_lab.public", run, parser)

if __name__ == "__main__":
    raise SystemExit(main())
