"""Find the layers that lose most in INT8: quantise one at a time, measure noise at the maps."""

from collections.abc import Iterator, Sequence

import numpy as np
import onnx
from tqdm import tqdm

from hotpath.calib import qdq
from hotpath.calib.ranges import Ranges, session
from hotpath.graphs import quantisable


def noise(
    model: onnx.ModelProto,
    ranges: Ranges,
    feeds: Sequence[dict[str, np.ndarray]],
    form: str,
) -> dict[str, float]:
    """Measure the noise of each layer of the search part, ``model``, in a form of
    ``hotpath.calib.qdq``.

    A bar on a terminal names the layer and estimates the time that is left.

    Returns:
        dict of base name -> noise power over signal power at the maps, summed over the maps.
    """
    outputs = [value.name for value in model.graph.output]
    runner = session(model)
    plain = [runner.run(outputs, feed) for feed in feeds]
    noise_of = {}
    layers = list(quantisable.weighted_layers(model))
    bar = tqdm(layers, desc="noise of each layer", unit=" layers", disable=None, leave=False)
    for node in bar:
        bar.set_postfix_str(quantisable.base(node.name)[-24:], refresh=False)
        alone = session(qdq.quantised_model(model, ranges, form, only=[node.name]))
        degraded = [alone.run(outputs, feed) for feed in feeds]
        noise_of[quantisable.base(node.name)] = _relative(plain, degraded)
    return noise_of


def _relative(plain: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> float:
    total = 0.0
    for index in range(len(plain[0])):
        signal = np.concatenate([maps[index].ravel() for maps in plain]).astype(float)
        degraded = np.concatenate([maps[index].ravel() for maps in other]).astype(float)
        centred = signal - signal.mean()
        total += float(((degraded - signal) ** 2).sum() / max((centred**2).sum(), 1e-12))
    return total


def keep_sets(
    noises: dict[str, float], costs: dict[str, int], budget: float
) -> Iterator[list[str]]:
    """Yield growing lists of layers to keep in 16 bit: the noisiest that fit the budget.

    Args:
        noises: dict of base name -> noise.
        costs: dict of base name -> multiply-accumulates.
        budget: share of all multiply-accumulates that may stay in 16 bit.

    Yields:
        list of base names, 1, 2, 3, 4, 6, 8, 12 … long, each holding the one before.
    """
    allowed = budget * sum(costs.values())
    kept = []
    sizes = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48}
    for name in sorted(noises, key=lambda n: -noises[n]):
        if costs.get(name, 0) > allowed:
            continue
        allowed -= costs.get(name, 0)
        kept.append(name)
        if len(kept) in sizes:
            yield list(kept)
    if kept and len(kept) not in sizes:
        yield list(kept)
