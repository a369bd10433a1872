"""Strangers: features of other objects, by which a classifier's value becomes a proof of identity.

A classifier has learnt to tell one target from its surroundings. It has never seen another object
of the target's kind, and such an object is more like the target than the surroundings are. How much
more depends on target and film. So no fixed value proves that an object is the target.

The strangers are objects of other pictures, described once for each network. The value that only
``CHANCE`` of them exceed is what an object reaches by chance. Speaker verification normalises the
scores of a speaker's model in this way (Auckenthaler, Carey and Lloyd-Thomas, "Score Normalization
for Text-Independent Speaker Verification Systems", 2000, section 3: zero normalisation).

``python -m hotpath.calib.strangers`` makes the file, and ``[strangers]`` of a network's TOML names
it. Without it, what an object reaches by chance is taken to be ``UNKNOWN``, which is a weaker
proof: for one target no stranger reaches that, and for another one every tenth does.
"""

import functools
from typing import Any, Optional, Tuple

import numpy as np

from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.network import Network

CHANCE = 0.05  # share of the strangers that look more like the target than chance explains
UNKNOWN = 0.0  # value of the classifier that an object reaches by chance, without strangers
LEAST = 0.1  # of the distance from chance to the target's own value, 1
PARTS = 2  # along each side of a box
BYTE = 127.0  # largest number of a described stranger in the file


@functools.lru_cache(maxsize=None)
def read(path: str) -> np.ndarray:
    """Return the strangers of a file, float32 (n, channels * parts).

    Raises:
        BadNetwork: the file does not hold strangers.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            rows, scale = file["rows"], file["scale"]
            described: np.ndarray = rows.astype(np.float32) * scale.astype(np.float32)[:, None]
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise BadNetwork(
            f"{path} does not hold strangers ({error}); make it again with "
            "`python -m hotpath.calib.strangers`",
            what="not read",
        ) from None
    return described


def write(path: str, described: np.ndarray, source: str) -> None:
    """Write strangers to a file, a byte a number.

    Args:
        path: a name that ends in ``.npz``.
        described: (n, channels * parts), not zero.
        source: what they were made from, a line.
    """
    largest = np.abs(described).max(axis=1)
    rows = np.rint(described * (BYTE / largest)[:, None]).astype(np.int8)
    scale = (largest / BYTE).astype(np.float32)
    np.savez(path, rows=rows, scale=scale, source=np.array(source))


class Strangers:
    """The strangers as the classifier of one target sees them.

    Args:
        network: its ``strangers`` names the file, which is checked by its sha256.

    Raises:
        BadNetwork: the file is missing, or is another one.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._raw: Optional[np.ndarray] = None
        if network.strangers is not None:
            self._raw = read(str(network.locate_made(network.strangers)))
        self._described: Optional[np.ndarray] = None
        self._last: Tuple[Any, float] = (None, UNKNOWN)

    def begin(self, mean: np.ndarray) -> None:
        """Start with a new target.

        Args:
            mean: float32 (channels,), which ``Pooling`` subtracts from the features of this target.

        Raises:
            BadNetwork: the file is of a network with other features.
        """
        self._last = None, UNKNOWN
        if self._raw is None:
            return
        if self._raw.ndim != 2 or self._raw.shape[1] != len(mean) * PARTS**2:
            raise BadNetwork(
                f"the strangers of {self._network.path} are of a network with other features; make "
                f"them again with `python -m hotpath.calib.strangers --network "
                f"{self._network.given} --clips DIR`",
                what="other network",
            )
        pooled = self._raw - np.tile(mean, PARTS**2)
        pooled /= np.sqrt((pooled**2).sum(axis=1, keepdims=True)) + 1e-9
        constant = np.ones((len(pooled), 1), np.float32)
        self._described = np.concatenate([pooled, constant], axis=1)

    def proof(self, looks: float, judge: Any, version: Any) -> float:
        """Return how far a value proves the target: 0 by chance, 1 as the target itself.

        Args:
            looks: the classifier's value of a box.
            judge: ``Ridge.judge`` of the classifier.
            version: another one whenever ``judge`` has changed.
        """
        chance = self.chance(judge, version)
        return (looks - chance) / max(1.0 - chance, LEAST)

    def chance(self, judge: Any, version: Any) -> float:
        """Return the value that only ``CHANCE`` of the strangers exceed."""
        if self._described is None:
            return UNKNOWN
        if self._last[0] != version:
            values = judge(self._described)
            place = int(len(values) * (1 - CHANCE))
            self._last = version, float(np.partition(values, place)[place])
        return self._last[1]
