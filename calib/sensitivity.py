"""Find the layers that lose most in INT8: quantise each alone and measure the noise at the maps."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization.qdq_loss_debug import compute_signal_to_quantization_noice_ratio

from calib import qdq
from calib.ranges import Ranges, float_tensors, session, with_outputs
from calib.store import Store


def noise(
    model: onnx.ModelProto,
    ranges: Ranges,
    feeds: Sequence[dict[str, np.ndarray]],
    form: str,
    store: Store,
) -> dict[str, float]:
    """Measure the noise of each layer of the search part.

    Args:
        model: the search part.
        ranges: dict of tensor -> (low, high).
        feeds: list of inputs, dict of name -> array.
        form: see ``calib.qdq``.
        store: keeps each layer's figure, so that a killed run can continue.

    Returns:
        dict of base name -> noise power over signal power at the maps, summed over the maps.
    """
    outputs = [value.name for value in model.graph.output]
    plain = None
    found = {}
    for node in qdq.weighted_layers(model):

        def alone(node: onnx.NodeProto = node) -> float:
            nonlocal plain
            if plain is None:
                runner = session(model)
                plain = [runner.run(outputs, feed) for feed in feeds]
            one = session(qdq.quantised(model, ranges, form, only=[node.name]))
            return _relative(plain, [one.run(outputs, feed) for feed in feeds])

        found[qdq.base(node.name)] = store.figure("noise", [node.name, form, _text(ranges)], alone)
    return found


def _text(ranges: Ranges) -> Any:
    return sorted((name, list(pair)) for name, pair in ranges.items())


def _relative(plain: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> float:
    total = 0.0
    for index in range(len(plain[0])):
        signal = np.concatenate([maps[index].ravel() for maps in plain]).astype(float)
        given = np.concatenate([maps[index].ravel() for maps in other]).astype(float)
        centred = signal - signal.mean()
        total += float(((given - signal) ** 2).sum() / max((centred**2).sum(), 1e-12))
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
    allowed, kept, sizes = budget * sum(costs.values()), [], {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48}
    for name in sorted(noises, key=lambda n: -noises[n]):
        if costs.get(name, 0) > allowed:
            continue
        allowed -= costs.get(name, 0)
        kept.append(name)
        if len(kept) in sizes:
            yield list(kept)
    if kept and len(kept) not in sizes:
        yield list(kept)


def layer_snr(
    model: onnx.ModelProto, int8: onnx.ModelProto, feeds: Sequence[dict[str, np.ndarray]]
) -> dict[str, float]:
    """Return a dict of layer -> signal to noise of its output in the whole INT8 network, dB."""
    names = [n.output[0] for n in qdq.weighted_layers(model)]
    there = set(float_tensors(int8))
    both = [name for name in names if name in there]
    plain, other = session(with_outputs(model, both)), session(with_outputs(int8, both))
    sums: dict[str, tuple[list[Any], list[Any]]] = {name: ([], []) for name in both}
    for feed in feeds:
        for name, a, b in zip(both, plain.run(both, feed), other.run(both, feed)):
            sums[name][0].append(a)
            sums[name][1].append(b)
    by_output = {name: _decibels(*pair) for name, pair in sums.items()}
    return {
        node.name: by_output[node.output[0]]
        for node in qdq.weighted_layers(model)
        if node.output[0] in by_output
    }


def _decibels(plain: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> float:
    with np.errstate(divide="ignore"):
        return min(99.0, float(compute_signal_to_quantization_noice_ratio(plain, other)))
