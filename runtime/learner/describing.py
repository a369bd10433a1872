"""Make a network's file of strangers; see ``strangers.py``. A tracker on a board does not need it.

``hotpath.calib.strangers`` and ``hotpath networks add --clips`` call it.
"""

import hashlib
import pathlib
import re
from typing import Any, Iterable, List, Optional, Sequence, Tuple

import numpy as np

from hotpath.runtime import geometry
from hotpath.runtime.devices.base import Look
from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.learner import strangers
from hotpath.runtime.learner.classifier import Pooling
from hotpath.runtime.network import Network, sha256_of

MOST_BYTES = 64 << 10  # of a file
HEAD = 1 << 10  # of them: the file's own, and the line that says what it was made from
FEWEST = 20  # objects: of fewer, no share of a twentieth can be told
OF_A_CLIP = 4  # frames of one clip
LEAST = 10.0  # sides of a box, pixels


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
        raise BadNetwork(f"the graph of {network.name} gives no features, so it has no strangers")
    rows: List[np.ndarray] = []
    for frame, box in objects:
        rows.append(described(tracker, frame, box))
        if (len(rows) + 1) * (rows[0].size + 4) + HEAD > MOST_BYTES:
            break
    if len(rows) < FEWEST:
        raise BadNetwork(
            f"{len(rows)} objects are too few for strangers: {FEWEST} are the least; name more"
        )
    path = network.path.parent / f"{network.name}-strangers.npz"
    strangers.write(str(path), np.array(rows), f"{source}; features of {fingerprint(network)}")
    name_in(network.path, path)
    return path, len(rows)


def fingerprint(network: Network) -> str:
    """Return the sha256 of the hashes of a network's files, as its TOML names them."""
    named = "".join(entry.sha256 or "" for entry in network.files)
    return hashlib.sha256(named.encode()).hexdigest()


def described(tracker: Any, frame: np.ndarray, box: Sequence[float]) -> np.ndarray:
    """Return the features under one box, before a mean is subtracted: (channels * parts,)."""
    device, network = tracker.device, tracker.network
    frame, shape = device.take(frame)
    state = geometry.state_of(network, box, shape[1], shape[0])
    exemplar = device.exemplar(frame, state)
    try:
        (seen,), _ = device.look(frame, [Look(exemplar, state, prior=None)])
        pooling = Pooling(network.stride, strangers.PARTS)
        weights = pooling.weights(seen.features, state[None], seen.around, seen.scale)
        pooled: np.ndarray = (weights @ np.asarray(seen.features[0]).T).reshape(-1)
    finally:
        exemplar.close()
    return pooled


def name_in(
    toml: pathlib.Path, file: pathlib.Path, section: str = "strangers", **numbers: float
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
