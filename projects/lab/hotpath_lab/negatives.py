"""python -m hotpath_lab.negatives: describe objects against which a similarity is normalised.

    python -m hotpath_lab.negatives --network kestrel --pictures DIR...
    python -m hotpath_lab.negatives --network mine.toml --clips DIR...

It writes NAME-negatives.npz, features of objects, and names it by its hash in the network's TOML
and in that of its INT8 form. A tracker compares them with its target
(``hotpath.runtime.identity.learner .negatives``). A few frames of many objects are better than many
frames of a few.

--pictures takes the objects of --list, whose rows have the file's name, the number of the frame,
the box and the source of each. The list that ships has only pictures and films whose licence lets
their features ship. --clips takes a few frames of each annotated clip.
"""

import argparse
import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from hotpath.base.commands import counted
from hotpath.calib import command
from hotpath.calib.command import say
from hotpath.calib.errors import BadRun
from hotpath.runtime import DEFAULT_NETWORK, load_tracker
from hotpath.runtime.engines.shared.precision import int8_form
from hotpath.runtime.networks import load_network, sha256_of
from hotpath.video.clips import find_clips
from hotpath_lab import describing

LIST = Path(__file__).with_name("negatives.csv")
BOX = ("x", "y", "w", "h")


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    cli = command.parser("hotpath_lab.negatives", __doc__)
    command.add_clip_options(cli, required=False)
    text = "folders with the pictures and films of --list"
    cli.add_argument("--pictures", nargs="+", metavar="DIR", help=text)
    text = "rows of file, frame, x, y, w, h, licence, source (default: %(default)s)"
    cli.add_argument("--list", default=str(LIST), metavar="FILE.csv", help=text)
    cli.add_argument("--network", default=DEFAULT_NETWORK, metavar="NAME|FILE.toml")
    command.add_network_options(cli)
    return cli


def run(options: argparse.Namespace) -> None:
    """Describe the objects, write the file and name it in the TOMLs."""
    if bool(options.clips) == bool(options.pictures):
        raise BadRun("name where the objects are: --pictures DIR for those of --list, or --clips")
    objects: Iterable[tuple[np.ndarray, Sequence[float]]]
    if options.pictures:
        source = f"{Path(options.list).name} {sha256_of(options.list)}"
        objects = listed(options.list, options.pictures)
    else:
        clips = command.chosen(find_clips(options.clips, log=say), options.only)
        source = "clips " + " ".join(clip.name for clip in clips)[:200]
        objects = describing.objects_of(clips)
    with load_tracker(
        str(load_network(options.network).path),
        engine=options.engine,
        networks_dir=options.networks_dir,
        recover=False,
        precision="fp32",
    ) as tracker:
        path, count = describing.make(tracker, objects, source)
        form = int8_form(tracker.network)
    if form is not None:
        describing.name_in(form.path, path)
    say(f"wrote {counted(count, 'negative')} to {path}")


def listed(path: str, folders: list[str]) -> Iterator[tuple[np.ndarray, list[float]]]:
    """Yield (frame, box) of each row of a list.

    Raises:
        BadRun: the list can't be read, or a file is missing or broken.
    """
    try:
        with open(path, newline="") as file:
            rows = list(csv.DictReader(file))
        places = [(row["file"], int(row["frame"]), [float(row[k]) for k in BOX]) for row in rows]
    except (KeyError, TypeError, ValueError) as error:
        raise BadRun(f"{path} is not a list of objects ({error!r}); see --list") from None
    for name, frame, box in places:
        found = next((Path(f) / name for f in folders if (Path(f) / name).is_file()), None)
        if found is None:
            raise BadRun(f"{name} of {path} is in none of the folders of --pictures")
        yield picture(found, frame), box


def picture(path: Path, frame: int) -> np.ndarray:
    """Return a picture, or one frame of a film, as BGR uint8."""
    image = cv2.imread(str(path))
    if image is None:
        film = cv2.VideoCapture(str(path))
        for _ in range(frame + 1):
            good, image = film.read()
            if not good:
                raise BadRun(f"{path} has no frame {frame}, or is broken; get it again")
    return np.asarray(image)


main = command.main("hotpath_lab.negatives", run, parser)

if __name__ == "__main__":
    raise SystemExit(main())
