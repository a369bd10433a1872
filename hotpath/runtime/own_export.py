"""Check a network's files that the user exported, and whose sha256 nobody knows.

The shapes of the maps are compared with the TOML when the files are made ready for engines. This
file also lets the network find a card in a picture, which files of another network do not.
"""

from typing import List

import numpy as np

from hotpath.runtime.boxes import overlap
from hotpath.runtime.errors import BadNetwork, NetworkFailed
from hotpath.runtime.network import Network, sha256_of
from hotpath.runtime.options import Options
from hotpath.runtime.tracker import Tracker

SIZE = (240, 320)  # of the picture: height, width
CARD = (130, 80, 64, 56)  # x, y, w, h
MOVED = 30  # pixels, from the first picture to the second one
LEAST = 0.65  # overlap with the card: right exports of four networks .77 to .97, random ones to .58
SEED = 7


def unknown(network: Network, options: Options) -> List[str]:
    """List the names of the files that are another export than the one that was measured."""
    named = [entry for entry in network.files if entry.measured_sha256]
    paths = network.locate(options.networks_dir) if named else {}
    return [e.name for e in named if sha256_of(paths[e.part]) != e.measured_sha256]


def check(tracker: Tracker, names: List[str]) -> str:
    """Let a network with unknown files find a card that moved; returns a sentence for the user.

    Args:
        tracker: a tracker of its own, on the engine that runs the files.
        names: of the files.

    Raises:
        BadNetwork: the box is another one.
    """
    network, files = tracker.network, " and ".join(names)
    x, y, w, h = CARD
    try:
        tracker.init(_picture(0), CARD)
        box = tracker.update(_picture(MOVED)).box
        found = float(overlap([box], [(x + MOVED, y, w, h)])[0])
    except NetworkFailed:
        found = 0.0
    finally:
        tracker.release()
    if found < LEAST:
        raise BadNetwork(
            f"{network.name} does not find a card in a known picture with {files}, which is not "
            f"the export that {network.path} was measured with; export it again as the TOML says, "
            "or add your files with `hotpath networks add` and correct the settings",
            what="other network",
        )
    return (
        f"{files}: the sha256 is unknown, so this is your own export; its maps have the right "
        f"shapes, and it finds a card in a picture (overlap {found:.2f})"
    )


def _picture(moved: int) -> np.ndarray:
    """A card with a pattern on a plain ground, BGR uint8."""
    random = np.random.RandomState(SEED)
    picture = random.normal(110, 3, (*SIZE, 3))
    x, y, w, h = CARD
    pattern = random.uniform(0, 255, (h // 8, w // 8, 3)).repeat(8, 0).repeat(8, 1)
    picture[y : y + h, x + moved : x + moved + w] = pattern
    other = random.uniform(0, 255, (h // 8, w // 8, 3)).repeat(8, 0).repeat(8, 1)
    picture[y : y + h, x - w : x] = other  # beside it, where it was
    clipped: np.ndarray = picture.clip(0, 255).astype(np.uint8)
    return clipped
