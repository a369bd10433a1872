"""python -m hotpath_lab.negatives: describe objects against which a similarity is normalised.

    python -m hotpath_lab.negatives --network kestrel --pictures DIR...
    python -m hotpath_lab.negatives --network mine.toml --clips DIR...

It writes NAME-negatives.npz, features of objects, and names it by its hash in the network's TOML
and in that of its INT8 form. A tracker compares them with its target
(``hotpath.runtime.identity.learner.negatives``). A few frames of many objects are better than many
frames of a few.

--pictures takes the objects of --list, whose rows have the file's name, the number of the frame,
the box and the source of each. The list that ships has only pictures and films whose licence lets
their features ship. --clips takes a few frames of each annotated clip.
"""

import argparse
import csv
import hashlib
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hotpath.base.messages import counted
from hotpath.calib import command_line
from hotpath.calib.command_line import find_chosen_clips, say
from hotpath.calib.errors import BadRun
from hotpath.kernels import cpu
from hotpath.runtime import DEFAULT_NETWORK, load_tracker
from hotpath.runtime.devices.base import WindowRequest
from hotpath.runtime.engines.shared.precision import int8_form
from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.frames import geometry
from hotpath.runtime.identity.cues import BoxColours
from hotpath.runtime.identity.learner.classifier import LEAST_PART
from hotpath.runtime.identity.learner.negatives import PARTS
from hotpath.runtime.identity.learner.numpy_definition import Pooling
from hotpath.runtime.network import Network
from hotpath.runtime.networks import load_network, sha256_of

Objects = Iterable[tuple[np.ndarray, Sequence[float]]]  # frame, box
LIST = Path(__file__).with_name("negatives.csv")
BOX = ("x", "y", "w", "h")
MOST_BYTES = 64 << 10  # of a file
HEAD = 1 << 10  # of them: the file's own, and the line that says what it was made from
FEWEST = 20  # objects: of fewer, no share of a twentieth can be told
OF_A_CLIP = 4  # frames of one clip
LEAST = 10.0  # sides of a box, pixels
BYTE = 127.0  # largest number of a described negative in the file


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    cli = command_line.parser("hotpath_lab.negatives", __doc__)
    command_line.add_clip_options(cli, required=False)
    text = "folders with the pictures and films of --list"
    cli.add_argument("--pictures", nargs="+", metavar="DIR", help=text)
    text = "rows of file, frame, x, y, w, h, licence, source (default: %(default)s)"
    cli.add_argument("--list", default=str(LIST), metavar="FILE.csv", help=text)
    cli.add_argument("--network", default=DEFAULT_NETWORK, metavar="NAME|FILE.toml")
    command_line.add_network_options(cli)
    return cli


def run(options: argparse.Namespace) -> None:
    """Describe the objects, write the file and name it in the TOMLs."""
    if bool(options.clips) == bool(options.pictures):
        raise BadRun("name where the objects are: --pictures DIR for those of --list, or --clips")
    objects: Objects
    if options.pictures:
        source = f"{Path(options.list).name} {sha256_of(options.list)}"
        objects = listed(options.list, options.pictures)
    else:
        clips = find_chosen_clips(options.clips, options.only)
        source = "clips " + " ".join(clip.name for clip in clips)[:200]
        objects = objects_of(clips)
    with load_tracker(
        str(load_network(options.network).path),
        engine=options.engine,
        networks_dir=options.networks_dir,
        recover=False,
        precision="fp32",
    ) as tracker:
        path, count = make(tracker, objects, source)
        form = int8_form(tracker.network)
    if form is not None:
        name_in(form.path, path)
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


def objects_of(clips: Iterable[Any]) -> Objects:
    """Yield (frame, box) of a few frames of each annotated clip."""
    for clip in clips:
        there = np.flatnonzero(np.isfinite(clip.boxes).all(axis=1))
        for index in there[:: max(1, len(there) // OF_A_CLIP)][:OF_A_CLIP].tolist():
            if min(clip.boxes[index, 2:]) >= LEAST:
                yield clip[index], clip.boxes[index]


def make(tracker: Any, objects: Objects, source: str) -> tuple[Path, int]:
    """Describe objects, write the file beside the network's TOML and name it there.

    Args:
        tracker: a ``Tracker`` of the network, whose graph gives features.
        objects: (frame, box) of each object, ``(x, y, w, h)`` in pixels of the frame.
        source: what the objects are from, a line. The file holds it with the network's hash.

    Returns:
        (path of the file, number of objects in it): at most as many as ``MOST_BYTES`` hold.

    Raises:
        BadNetwork: the graph gives no features, or there are too few objects.
    """
    network = tracker.network
    if not tracker.device.shows_features:
        raise BadNetwork(f"the graph of {network.name} gives no features, so it has no negatives")
    rows: list[np.ndarray] = []
    histograms: list[np.ndarray] = []
    colours_under = BoxColours(network, cpu.load())
    for frame, box in objects:
        features, state = described(tracker, frame, box)
        rows.append(features)
        histograms.append(colours_under(frame, state))
        if (len(rows) + 1) * (features.size + 4) + HEAD > MOST_BYTES:
            break
    if len(rows) < FEWEST:
        raise BadNetwork(
            f"{len(rows)} objects are too few for negatives: {FEWEST} are the least; name more"
        )
    path = network.path.parent / f"{network.name}-negatives.npz"
    source = f"{source}; features of {fingerprint(network)}"
    write(str(path), np.array(rows), np.array(histograms), source)
    while path.stat().st_size > MOST_BYTES:
        rows, histograms = rows[:-1], histograms[:-1]
        write(str(path), np.array(rows), np.array(histograms), source)
    name_in(network.path, path)
    return path, len(rows)


def write(path: str, described: np.ndarray, histograms: np.ndarray, source: str) -> None:
    """Write negatives to a file, a byte a number.

    Args:
        path: a name that ends in ``.npz``.
        described: (n, channels * parts), not zero.
        histograms: (n, bins), their colours.
        source: what they were made from, a line.
    """
    largest = np.abs(described).max(axis=1)
    rows = np.rint(described * (BYTE / largest)[:, None]).astype(np.int8)
    scale = (largest / BYTE).astype(np.float32)
    colours = np.rint(np.sqrt(histograms) * 255).astype(np.uint8)
    text = np.array(source)
    np.savez_compressed(path, rows=rows, scale=scale, colours=colours, source=text)


def fingerprint(network: Network) -> str:
    """Return the sha256 of the hashes of a network's files, as its TOML names them."""
    named = "".join(entry.sha256 or "" for entry in network.files)
    return hashlib.sha256(named.encode()).hexdigest()


def described(
    tracker: Any, frame: np.ndarray, box: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    """Describe one box.

    Returns:
        its features before a mean is subtracted, float32 (channels * parts,), and its state,
        float64 [cx, cy, w, h], frame pixels.
    """
    device, network = tracker.device, tracker.network
    frame, shape = device.take(frame)
    state = geometry.state_of(network, box, shape[1], shape[0])
    exemplar = device.exemplar(frame, state)
    try:
        (result,), _ = device.run(frame, [WindowRequest(exemplar, state, prior=None)])
        _, channels, cells = result.features.shape
        form = int(round(math.sqrt(cells))), float(network.stride), PARTS, LEAST_PART
        pooling = Pooling(np.zeros(channels, np.float32), *form)
        pooled = pooling.averages(result.features, state[None], result.around, result.scale)[0]
    finally:
        exemplar.close()
    return pooled, state


def name_in(toml: Path, file: Path) -> None:
    """Name a file of negatives in a TOML, in place of the one that is named there."""
    text = toml.read_text(encoding="utf-8")
    entry = f'[negatives]\nname = "{file.name}"\nsha256 = "{sha256_of(file)}"\n'
    there = re.search(r"^\[negatives\]\n(?:\w+ *=.*\n)*", text, re.MULTILINE)
    if there:
        text = text[: there.start()] + entry + text[there.end() :]
    else:
        text = text.rstrip("\n") + "\n\n" + entry
    toml.write_text(text, encoding="utf-8")


main = command_line.main("hotpath_lab.negatives", run, parser)

if __name__ == "__main__":
    raise SystemExit(main())
