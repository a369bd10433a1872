"""Make a network's file of negatives; see ``negatives.py``. A tracker on a board does not need it.

``hotpath_lab.negatives`` calls it.
"""

import hashlib
import math
import pathlib
import re
from typing import Any, Iterable, List, Optional, Sequence, Tuple

import numpy as np

from hotpath.kernels import cpu
from hotpath.runtime.devices.base import WindowRequest
from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.frames import geometry
from hotpath.runtime.identity.learner import negatives
from hotpath.runtime.identity.learner.classifier import LEAST_PART
from hotpath.runtime.identity.learner.definition import Pooling
from hotpath.runtime.network import Network, sha256_of
from hotpath.runtime.search.cues import ColoursUnder

MOST_BYTES = 64 << 10  # of a file
HEAD = 1 << 10  # of them: the file's own, and the line that says what it was made from
FEWEST = 20  # objects: of fewer, no share of a twentieth can be told
OF_A_CLIP = 4  # frames of one clip
LEAST = 10.0  # sides of a box, pixels
BYTE = 127.0  # largest number of a described negative in the file


def objects_of(clips: Iterable[Any]) -> Iterable[Tuple[np.ndarray, Sequence[float]]]:
    """Yield (frame, box) of a few frames of each annotated clip."""
    for clip in clips:
        there = np.flatnonzero(np.isfinite(clip.boxes).all(axis=1))
        for index in there[:: max(1, len(there) // OF_A_CLIP)][:OF_A_CLIP].tolist():
            if min(clip.boxes[index, 2:]) >= LEAST:
                yield clip[index], clip.boxes[index]


def make(
    tracker: Any, objects: Iterable[Tuple[np.ndarray, Sequence[float]]], source: str
) -> Tuple[pathlib.Path, int]:
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
    rows: List[np.ndarray] = []
    histograms: List[np.ndarray] = []
    colours_under = ColoursUnder(network, cpu.load())
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
    """Return the sha256 of the hashes of a network's files, as its TOML names them.

    Of two joined networks only the first one's count, since its features are described.
    """
    own = (entry for entry in network.files if not entry.part.startswith("second_"))
    named = "".join(entry.sha256 or "" for entry in own)
    return hashlib.sha256(named.encode()).hexdigest()


def described(
    tracker: Any, frame: np.ndarray, box: Sequence[float]
) -> Tuple[np.ndarray, np.ndarray]:
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
        form = int(round(math.sqrt(cells))), float(network.stride), negatives.PARTS, LEAST_PART
        pooling = Pooling(np.zeros(channels, np.float32), *form)
        pooled = pooling.averages(result.features, state[None], result.around, result.scale)[0]
    finally:
        exemplar.close()
    return pooled, state


def name_in(
    toml: pathlib.Path, file: pathlib.Path, section: str = "negatives", **numbers: float
) -> None:
    """Name a made file in a TOML, in place of the one that is named there.

    Args:
        toml, file: the two paths.
        section: name of the section.
        numbers: further keys of it.
    """
    text = toml.read_text(encoding="utf-8")
    lines = [f"[{section}]", f'name = "{file.name}"', f'sha256 = "{sha256_of(file)}"']
    lines += [f"{name} = {value:g}" for name, value in numbers.items()]
    entry = "\n".join(lines) + "\n"
    there: Optional[Any] = re.search(rf"^\[{section}\]\n(?:\w+ *=.*\n)*", text, re.MULTILINE)
    if there:
        text = text[: there.start()] + entry + text[there.end() :]
    else:
        text = text.rstrip("\n") + "\n\n" + entry
    toml.write_text(text, encoding="utf-8")
