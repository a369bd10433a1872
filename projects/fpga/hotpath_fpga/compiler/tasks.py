"""The parts of a program before its addresses and waits are known."""

from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from hotpath.kernels.fpga.tables import Fields
from hotpath_fpga.compiler.layout import MapBuffer
from hotpath_fpga.model import PARAMS_BYTES

Command = Tuple[str, Fields, str]  # name, fields, layer
Span = Tuple[MapBuffer, int, int]  # first row, end row

WORD, TILE = 16, 256  # bytes


class Weights:
    """Tiles that are loaded together.

    Attributes:
        number: number of tiles.
        region, offset: their address.
        tile: the first one's place in the weight memory, set when it is found.
    """

    def __init__(self, number: int, region: int, offset: int) -> None:
        self.number, self.region, self.offset = number, region, offset
        self.tile: Any = None


class Params:
    """Biases and shifts of one layer.

    Attributes:
        data: bytes of its entries.
        number: number of entries.
        entry: the first one's place, set when it is found.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.number = len(data) // PARAMS_BYTES
        self.entry: Any = None


class Task:
    """A command whose addresses and waits are not known yet.

    Attributes:
        name: CROP, CONV or STORE.
        layer: what it belongs to, for the report.
        fields: those that are known.
        reads, writes: list of (``MapBuffer``, first row, end row).
        weights, params, table: what a CONV needs.
        made: function of nothing that gives the fields that depend on places.
    """

    def __init__(
        self, name: str, layer: str, reads: List[Span], writes: List[Span], **fields: int
    ) -> None:
        self.name, self.layer, self.reads, self.writes = name, layer, reads, writes
        self.fields = fields
        self.weights: Optional[Weights] = None
        self.params: Optional[Params] = None
        self.table: Optional[np.ndarray] = None
        self.made: Any = None


class Data:
    """The bytes of region 0; equal pieces are stored once."""

    def __init__(self) -> None:
        self.content = bytearray()
        self._known: Dict[bytes, int] = {}

    def add(self, data: bytes) -> int:
        """Offset of some bytes, a multiple of 16."""
        data = bytes(data)
        if data not in self._known:
            self._known[data] = len(self.content)
            self.content += data + bytes(-len(data) % WORD)
        return self._known[data]
