"""Print what a network costs, for ``networks show``: its graphs, and the engines that run them.

It needs the onnx library.
"""

import pathlib
from collections import Counter
from typing import Callable, Dict, List, Mapping, Optional, Sequence

from onnx import ModelProto

from hotpath.app.cli.networks import support
from hotpath.graphs import counting, quantisable
from hotpath.runtime.network import Network


def show(
    network: Network, paths: Dict[str, pathlib.Path], survey: Optional[Callable[..., object]]
) -> None:
    """Print it.

    Args:
        paths: dict of part -> path, as ``network.locate()`` gives it.
        survey: that of the FPGA's compiler; None in a wheel, which has none.
    """
    print()
    row = "{:<16} {:>11} {:>9}  {}"
    print(row.format("graph", "parameters", "MMAC", "tensors"))
    models = counting.read_parts(network, paths)
    counts = {name: counting.count(model) for name, model in models.items()}
    for name, figures in counts.items():
        macs = "not fixed" if figures.macs is None else f"{figures.macs / 1e6:.1f}"
        tensors = f"{_tensors(figures.inputs)} -> {_tensors(figures.outputs)}"
        print(row.format(name, f"{figures.parameters:,}", macs, tensors))
    print()
    parts = quantisable.parts(network, paths)
    rows = {"operators": _counted(counts["a frame"].operators)}
    rows["INT8"] = _int8(parts["search"])
    rows.update(support.on_engines(network, paths))
    for name, sentence in rows.items():
        print(f"{name:<16} {sentence}")
    for title, verdict in support.on_fpgas(network, parts, survey):
        print(f"{title:<24} {verdict}")


def _tensors(values: Mapping[str, Sequence[int]]) -> str:
    return ", ".join(
        "{} {}".format(name, "x".join(map(str, shape))) for name, shape in values.items()
    )


def _counted(operators: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in operators.items())


def _int8(model: ModelProto) -> str:
    """What ``hotpath int8`` leaves in floating point."""
    operators = {node.name: node.op_type for node in model.graph.node}
    if "QuantizeLinear" in operators.values():
        return "is in these files already"
    last = quantisable.last_layers(model)
    why: Dict[str, List[str]] = {}
    for name, reason in quantisable.floating(model, last).items():
        why.setdefault(reason, []).append(operators[name])
    layers = [
        f"{_counted(Counter(kinds))} ({reason if reason != 'kept' else 'the last layers'})"
        for reason, kinds in why.items()
    ]
    return "leaves in floating point: " + "; ".join(layers)
