"""Negatives: features and colours of other objects, against which a similarity is normalised.

A classifier has learnt to tell one target from its surroundings. It has never seen another object
of the target's kind, and such an object is more like the target than the surroundings are. How much
more depends on target and film. So no fixed value verifies that an object is the target.

The negatives are objects of other pictures, described once for each network. The value that only
``CHANCE`` of them exceed is what an object reaches by chance. Speaker verification normalises the
scores of a speaker's model in this way (Auckenthaler, Carey and Lloyd-Thomas, "Score Normalization
for Text-Independent Speaker Verification Systems", 2000, section 3: zero normalisation).

The similarity of colours is normalised in the same way. A grey car is as grey as most cars, and a
red one is not. A film may have no colours, so the negatives count as grey pictures, too.

``python -m hotpath_lab.negatives`` makes the file, and ``[negatives]`` of a network's TOML names
it. Without the file, an object is assumed to reach ``UNKNOWN`` by chance, which is less certain.
"""

import functools
from typing import Any, Optional, Sequence, Tuple

import numpy as np

from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.frames import colour
from hotpath.runtime.identity.learner.ridge import Ridge, samples_of
from hotpath.runtime.network import Network
from hotpath.runtime.networks import npz

CHANCE = 0.05  # share of the negatives that look more like the target than chance explains
UNKNOWN = 0.0  # value of the classifier that an object reaches by chance, without negatives
COLOURS_KEPT = 10  # judgements for which the value stays that colours reach by chance
PARTS = 2  # along each side of a box


@functools.lru_cache(maxsize=None)
def read(path: str) -> Tuple[np.ndarray, Optional[np.ndarray]]:
    """Return the features of a file's negatives, float32 (n, channels * parts), and their colours.

    The colours are square roots of histograms, float64 (n, bins); None if the file has none.

    Raises:
        BadNetwork: the file does not hold negatives.
    """
    try:
        arrays = npz.read(path)
        rows, scale = arrays["rows"], arrays["scale"]
        features: np.ndarray = rows.astype(np.float32) * scale.astype(np.float32)[:, None]
        colours = arrays["colours"].astype(float) if "colours" in arrays else None
        if features.ndim != 2 or not len(features) or colours is not None and colours.ndim != 2:
            raise ValueError("its arrays have other shapes")
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise BadNetwork(
            f"{path} does not hold negatives ({error}); make it again with "
            "`python -m hotpath_lab.negatives`",
            what="not read",
        ) from None
    if colours is not None:
        colours /= np.sqrt((colours**2).sum(axis=1, keepdims=True)) + 1e-9
    return features, colours


class Negatives:
    """The negatives of a network, which its TOML names, as the classifier of a target sees them.

    Raises:
        BadNetwork: the file is missing, or is another one.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._raw: Optional[np.ndarray] = None
        self._colours: Optional[np.ndarray] = None
        if network.negatives is not None:
            self._raw, colours = read(str(network.locate_made(network.negatives)))
            if colours is not None:
                self._colours = np.array([colours, np.sqrt(colour.grey_histograms(colours**2))])
        self._described: Optional[np.ndarray] = None
        self._last: Tuple[Any, float] = (None, UNKNOWN)
        self._coloured: Tuple[Any, int, float] = (None, 0, UNKNOWN)

    def begin(self, mean: np.ndarray) -> None:
        """Start with a new target, from whose features ``Pooling`` subtracts ``mean``, (channels,).

        Raises:
            BadNetwork: the file is of a network with other features.
        """
        self._last = None, UNKNOWN
        if self._raw is None:
            return
        if self._raw.ndim != 2 or self._raw.shape[1] != len(mean) * PARTS**2:
            raise BadNetwork(
                f"the negatives of {self._network.path} are of a network with other features; make "
                f"them again with `python -m hotpath_lab.negatives --network "
                f"{self._network.given} --clips DIR`",
                what="other network",
            )
        self._mean, self._described = np.tile(mean, PARTS**2), None

    def chances(
        self, references: Sequence[np.ndarray], ridge: Ridge
    ) -> Tuple[float, Optional[float]]:
        """Return what an object reaches by chance: looks, and colours (None if unknown).

        Args:
            references: square roots of histograms. The first is the same array for one target.
            ridge: the classifier's.
        """
        chance = UNKNOWN
        if self._raw is not None:
            if self._described is None:  # not in the first frame, which takes long
                self._described = samples_of(self._raw, self._mean)
            if self._last[0] != ridge.solved:
                values = ridge.predict(self._described)
                place = int(len(values) * (1 - CHANCE))
                self._last = ridge.solved, float(np.partition(values, place)[place])
            chance = self._last[1]
        if self._colours is None:
            return chance, None
        looks = chance
        first, age, chance = self._coloured
        if first is not references[0] or age == COLOURS_KEPT:
            values = self._colours.dot(np.array(references).T).max(axis=2)
            place = int(values.shape[1] * (1 - CHANCE))
            age, chance = 0, float(np.partition(values, place)[:, place].max())
        self._coloured = references[0], age + 1, chance
        return looks, chance
