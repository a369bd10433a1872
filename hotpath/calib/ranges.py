"""Measure ranges of a graph's tensors: histograms by ONNX Runtime, then one range per method.

| method     | range                                                                       |
|------------|-----------------------------------------------------------------------------|
| minmax     | all values                                                                  |
| percentile | all but 0.01 % of the values                                                |
| entropy    | least Kullback-Leibler divergence between values and their 128 levels       |
| mse        | least squared error of the values in 256 levels                             |

Entropy: Migacz, "8-bit inference with TensorRT", GTC 2017, as ONNX Runtime computes it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from onnxruntime.quantization.calibrate import HistogramCollector

from hotpath.graphs import models
from hotpath.runtime.engines.onnxruntime import float_layer_options, open_session

Ranges = dict[str, tuple[float, float]]  # of a tensor: low, high
Entry = tuple[Any, ...]  # of a histogram: counts, edges, least, greatest, threshold
METHODS = ("minmax", "percentile", "entropy", "mse")
PERCENTILE = 99.99
BINS = 2048
WIDEN = 4  # above this many times the range, bins get wider instead of more
MOST_VALUES = 8192  # values of a tensor that are counted for one input
ENTROPY_BINS, LEVELS = 1024, 128
SHRINK = np.linspace(0.2, 1.0, 81)  # shares of the whole range that mse tries


class Histograms:
    """Collects a histogram of every float tensor of a model over any number of inputs."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.names = float_tensors(model)
        self._collector = collector()
        self._session: Any = None
        self._model = model

    def add(self, feed: dict[str, np.ndarray]) -> None:
        """Add one input, a dict of name -> array."""
        if self._session is None:
            self._session = session(with_outputs(self._model, self.names))
        outputs = [value.name for value in self._session.get_outputs()]
        values = dict(zip(outputs, self._session.run(outputs, feed)))
        values.update(feed)
        counted = {name: _thinned(values[name]) for name in self.names}
        for name, value in counted.items():
            self._widen(name, float(abs(value).max()))
        self._collector.collect_value(counted)

    def _widen(self, name: str, threshold: float) -> None:
        """Widen the bins of a histogram before a much greater value is added.

        ONNX Runtime keeps the width of the first bins. A tensor that was near zero in the first
        picture would get millions of them.
        """
        entry = self.state().get(name)
        if entry is None or threshold <= WIDEN * float(entry[4]):
            return
        counts, edges, least, greatest, _ = entry
        centres = np.clip((edges[:-1] + edges[1:]) / 2, -threshold, threshold)
        counts, edges = np.histogram(centres, BINS, range=(-threshold, threshold), weights=counts)
        kind = np.asarray(least).dtype
        counts, edges = counts.astype(np.int64), edges.astype(kind)
        self.state()[name] = (counts, edges, least, greatest, np.array(threshold, kind))

    def state(self) -> dict[str, Entry]:
        """dict of name -> (counts, edges, least, greatest, threshold)."""
        return self._collector.histogram_dict

    def ranges(self, method: str) -> Ranges:
        """dict of name -> (low, high) floats, by one of ``METHODS``."""
        return {name: find_range(entry, method) for name, entry in self.state().items()}


def collector() -> Any:
    """ONNX Runtime's collector of histograms."""
    return HistogramCollector("entropy", False, BINS, LEVELS, PERCENTILE, None)


def _thinned(values: np.ndarray) -> np.ndarray:
    """Return values spread over an array, with its least and greatest: enough for a histogram."""
    flat = values.reshape(-1)
    if flat.size <= MOST_VALUES:
        return flat
    return np.append(flat[:: flat.size // MOST_VALUES], (flat.min(), flat.max()))


def float_tensors(model: onnx.ModelProto) -> list[str]:
    """Names of the graph's float tensors that are not constants, in order."""
    graph = model.graph
    kinds = {
        v.name: v.type.tensor_type.elem_type
        for v in [*graph.input, *graph.value_info, *graph.output]
    }
    constant = {tensor.name for tensor in graph.initializer}
    names = [v.name for v in graph.input] + [name for node in graph.node for name in node.output]
    return [n for n in names if kinds.get(n) == TensorProto.FLOAT and n not in constant]


def with_outputs(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """Return a copy of the model with those tensors as further outputs."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    have = {v.name for v in [*copy.graph.output, *copy.graph.input]}
    copy.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
        for name in names
        if name not in have
    )
    return copy


def session(model: onnx.ModelProto, literal: bool = False) -> Any:
    """An ONNX Runtime session of a model in memory, on one core; literal: without any fusion."""
    more = {} if literal else float_layer_options(onnxruntime, models.has_float_layer(model.graph))
    return open_session(onnxruntime, model.SerializeToString(), 1, literal, **more)


def find_range(entry: Entry, method: str) -> tuple[float, float]:
    """Return (low, high) of one histogram; the range holds zero, so that zero stays exact."""
    counts, edges, least, greatest = entry[:4]
    least, greatest = float(least), float(greatest)
    if method == "minmax":
        low, high = least, greatest
    elif method == "percentile":
        low, high = _percentile(counts, edges)
    elif method == "entropy":
        merged = (*_merged(counts, edges, ENTROPY_BINS), *entry[2:])
        low, high = map(float, collector().get_entropy_threshold(merged, LEVELS))
    elif method == "mse":
        low, high = _least_error(counts, edges, least, greatest)
    else:
        raise ValueError(f"no method finds ranges by {method!r}")
    return min(0.0, max(low, least)), max(0.0, min(high, greatest))


def _percentile(counts: np.ndarray, edges: np.ndarray) -> tuple[float, float]:
    below = np.cumsum(counts) / counts.sum()
    cut = (100 - PERCENTILE) / 200
    left, right = np.searchsorted(below, (cut, 1 - cut))
    return float(edges[left]), float(edges[min(right + 1, len(edges) - 1)])


def _merged(counts: np.ndarray, edges: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """The same histogram with at most ``most`` bins, still symmetric about zero."""
    group = -(-len(counts) // most)
    pad = -len(counts) % (2 * group)
    width = float(edges[1] - edges[0])
    counts = np.pad(counts, pad // 2)
    low = float(edges[0]) - (pad // 2) * width
    merged = counts.reshape(-1, group).sum(axis=1)
    return merged, low + np.arange(len(merged) + 1) * (width * group)


def _least_error(
    counts: np.ndarray, edges: np.ndarray, least: float, greatest: float
) -> tuple[float, float]:
    """Return the (low, high) inside the whole range with the least squared error at 256 levels."""
    filled = np.flatnonzero(counts)
    weight = counts[filled]
    centres = np.clip((edges[filled] + edges[filled + 1]) / 2, least, greatest).astype(float)
    low, high = min(0.0, least) * SHRINK[:, None], max(0.0, greatest) * SHRINK[:, None]
    step = np.maximum((high - low) / 255, 1e-12)
    rounded = np.round(np.clip(centres, low, high) / step) * step
    at = int(np.argmin(((rounded - centres) ** 2 * weight).sum(axis=1)))
    return float(low[at, 0]), float(high[at, 0])
