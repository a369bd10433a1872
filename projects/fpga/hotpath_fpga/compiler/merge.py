"""Merges layers that read the same maps if this costs no step of the array.

Two parallel towers become one with twice as many channels. Tiles that would be all zero, because a
layer's weights meet only their own tower's channels, are left out (see ``tiles``). So merging never
adds a step. Fewer, wider layers have fewer words to drain.
"""

from typing import Dict, List, Sequence

import numpy as np

from hotpath_fpga.compiler.layers import Layer, Map

LANES = 16


def merged(layers: Sequence[Layer]) -> List[Layer]:
    """The layers with towers merged, in an order in which each finds its inputs made."""
    layers = list(layers)
    at = 0
    while at < len(layers):
        other = next((i for i in range(at + 1, len(layers)) if _fit(layers, at, i)), None)
        if other is None:
            at += 1
            continue
        layers[other] = _joined(layers[at], layers[other])
        del layers[at]
        layers = _in_order(layers)
        at = 0
    return layers


def _fit(layers: Sequence[Layer], first: int, second: int) -> bool:
    a, b = layers[first], layers[second]
    kinds = [(o.kind, o.kernel, o.stride, o.pad, o.dilation, o.relu, o.function) for o in (a, b)]
    if kinds[0] != kinds[1] or a.kind != "conv" or a.function or not _siblings(a, b):
        return False
    joined = _blocks(a.inputs + [source for source in b.inputs if source not in a.inputs])
    together = joined * -(-(len(a.weight) + len(b.weight)) // LANES)
    apart = sum(_blocks(o.inputs) * -(-len(o.weight) // LANES) for o in (a, b))
    return together <= apart  # neither needs the other: both read what is made before them


def _siblings(a: Layer, b: Layer) -> bool:
    """Whether both read the same maps, or each whole maps of one merged layer."""
    if a.inputs == b.inputs:
        return True
    makers = {source.layer for source in a.inputs + b.inputs}
    return len(makers) == 1 and None not in makers


def _blocks(maps: Sequence[Map]) -> int:
    return sum(-(-item.channels // LANES) for item in maps)


def _joined(a: Layer, b: Layer) -> Layer:
    inputs = a.inputs + [item for item in b.inputs if item not in a.inputs]
    start: Dict[Map, int] = {}
    total = 0
    for item in inputs:
        start[item] = total
        total += item.channels
    weight = np.zeros((len(a.weight) + len(b.weight), total) + a.weight.shape[2:])
    row = 0
    for layer in (a, b):
        column = 0
        for item in layer.inputs:
            part = layer.weight[:, column : column + item.channels]
            weight[row : row + len(part), start[item] : start[item] + item.channels] += part
            column += item.channels
        row += len(layer.weight)
    bias = np.concatenate([a.bias, b.bias])
    layer_of_both = Layer(
        a.name + "+" + b.name, "conv", inputs, weight, bias, a.stride, a.pad, a.dilation
    )
    layer_of_both.relu, layer_of_both.outputs = a.relu, a.outputs + b.outputs
    for item in layer_of_both.outputs:
        item.layer = layer_of_both
    return layer_of_both


def _in_order(layers: Sequence[Layer]) -> List[Layer]:
    ordered: List[Layer] = []
    left = list(layers)
    while left:
        ready = {None, *ordered}
        ordered.append(
            next(layer for layer in left if ready.issuperset(m.layer for m in layer.inputs))
        )
        left.remove(ordered[-1])
    return ordered
