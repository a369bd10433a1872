"""Assigns maps to buffers, and defines the contents of a buffer's words.

A buffer has rows of words; usually a word is sixteen channels of a pixel. The crop's are "overlap"
words (five pixels of three channels) and the first layer's may be "pair" words (two pixels of eight
channels), which a convolution with rearranged weights reads and writes as any others.
"""

from typing import Dict, List, Sequence, Tuple

from hotpath_fpga.compiler.graph import CompiledGraph
from hotpath_fpga.compiler.layers import CannotCompile, Layer, Map

LANES = 16
PAIR_CHANNELS = 8

Readers = Dict[Map, List[Layer]]


class MapBuffer:
    """Rows of words in the map memory.

    Attributes:
        name: name of its first map.
        blocks, height, width: of 16 channels, rows, words a row and block.
        pixels: that a word holds: 1, 2 ("pair"), or 4 ("overlap": and their neighbours').
        split: distribution of its rows over the banks.
        base: its place in each bank, set by ``program``.
        reader: a layer that reads it, set by ``lay_out`` if there are several banks.
    """

    base: int
    reader: Layer

    def __init__(self, name: str, blocks: int, height: int, width: int, pixels: int = 1) -> None:
        self.name, self.blocks, self.height, self.width = name, blocks, height, width
        self.pixels = pixels
        self.split = 0

    @property
    def row_pitch(self) -> int:
        """Words from a bank's row to its next."""
        return self.blocks * self.width


def lay_out(part: CompiledGraph, lanes: int) -> List[MapBuffer]:
    """Give every map of a part its buffer and block.

    Args:
        part: ``graph.CompiledGraph``; the first layer is the picture's.
        lanes: rows that the array works on at once.

    Returns:
        list of ``MapBuffer``, the picture's first.

    Raises:
        CannotCompile: a concatenation or a first layer that can't be laid out.
    """
    readers: Readers = {}
    for layer in part.layers:
        for source in layer.inputs:
            readers.setdefault(source, []).append(layer)
    buffers = [_picture(part, readers)]
    for group in _groups(part.layers):
        buffers.append(_together(group))
    if lanes > 1:
        for layer in part.layers:
            _split(layer)
    return buffers


def _picture(part: CompiledGraph, readers: Readers) -> MapBuffer:
    """The crop's buffer."""
    first = readers.get(part.picture, [])
    if len(first) != 1 or first[0].inputs != [part.picture]:
        raise CannotCompile(f"{len(first)} layers read the picture; the engine crops for one")
    side = part.picture.width
    layer = first[0]
    pixels = 4 if _can_pair(layer, readers, part) else 1
    words = -(-layer.output.width // 2) if pixels == 4 else side
    part.picture.buffer = MapBuffer(part.picture.name, 1, part.picture.height, words, pixels)
    return part.picture.buffer


def _can_pair(layer: Layer, readers: Readers, part: CompiledGraph) -> bool:
    """Whether the first layer may read overlap words and write pair words."""
    output = layer.output
    plain = (
        (layer.kernel, layer.stride, layer.pad) == ((3, 3), (2, 2), (1, 1))
        and output.channels <= PAIR_CHANNELS
        and output.width % 2 == 0
        and 4 * (output.width // 2) + 3 >= part.picture.width
    )
    users = readers.get(output, [])
    out = any(output in view.maps for _, view, _ in part.outputs)
    return (
        plain
        and bool(users)
        and not out
        and all(u.kind == "conv" and u.stride[1] == 2 and u.inputs == [output] for u in users)
    )


def _groups(layers: Sequence[Layer]) -> List[List[Layer]]:
    """Lists of layers whose results share a buffer, because some layer reads several of them."""
    group = {layer: [layer] for layer in layers}
    for layer in layers:
        if any(item.layer is None for item in layer.inputs) and len(layer.inputs) > 1:
            raise CannotCompile(
                f"{layer.name} joins the picture itself with maps; the engine joins only maps"
            )
        makers = [item.layer for item in layer.inputs if item.layer is not None]
        for maker in makers[1:]:
            first, second = group[makers[0]], group[maker]
            if first is not second:
                first += second
                for item in second:
                    group[item] = first
    return list({id(group[layer]): group[layer] for layer in layers}.values())


def _together(group: Sequence[Layer]) -> MapBuffer:
    """One buffer for the results of some layers, one after the other."""
    first = group[0].output
    source = group[0].inputs[0].buffer
    pixels = 2 if source is not None and source.pixels == 4 else 1
    buffer = MapBuffer(first.name, 0, first.height, first.width // pixels, pixels)
    for layer in group:
        output = layer.output
        if (output.height, output.width) != (first.height, first.width):
            raise CannotCompile(
                f"{layer.name} joins maps of {output.height}x{output.width} and "
                f"{first.height}x{first.width}"
            )
        output.buffer, output.block = buffer, buffer.blocks
        buffer.blocks += -(-output.channels // LANES)
    return buffer


def _split(layer: Layer) -> None:
    """Set how the rows that a layer reads are distributed over the banks."""
    buffer = layer.inputs[0].buffer
    split = layer.stride[0] - 1
    reader = getattr(buffer, "reader", None)
    if reader is not None and buffer.split != split:
        raise CannotCompile(
            f"{reader.name} and {layer.name} read one map with strides of 1 and 2, which only an "
            "engine of one lane can"
        )
    buffer.reader, buffer.split = layer, split


def places(maps: Sequence[Map]) -> Tuple[List[int], List[int]]:
    """(blocks, lanes) of every channel of some maps, in order: two lists."""
    blocks, lanes = [], []
    for item in maps:
        for channel in range(item.channels):
            blocks.append(item.block + channel // LANES)
            lanes.append(channel % LANES)
    return blocks, lanes
