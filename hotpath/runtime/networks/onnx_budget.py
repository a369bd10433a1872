"""Check the limits of an ONNX file before a library reads it: bytes, nodes, depth, no loops.

The file is scanned as protobuf writes it, without ``onnx``: tags, lengths, the names of operators,
and how much each weight has in a file beside it. A loop of 2^62 rounds is 400 bytes, and a thousand
weights may name the same file, so sizes of files say nothing of the cost.

Each file that a library opens passes here: a network's, a detector's, the point prompt's head, the
graphs of a bundle and of a prepared folder. ``tests/test_onnx_entry_points.py`` holds who calls a
library.
"""

import mmap
import os
import pathlib
from typing import Any, Dict, Iterator, List, Set, Tuple, Union

from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.network import MOST_BYTES, too_large

MOST_NODES = 20000  # with those of functions, each time they are called; a ViT-L has 3000
DEEPEST = 8  # graphs inside of nodes (If)
LOOPS = frozenset((b"Loop", b"Scan", b"SequenceMap"))
# fields of the messages (onnx.proto3)
MODEL_GRAPH, MODEL_FUNCTION = 7, 25
GRAPH_NODE, FUNCTION_NAME, FUNCTION_NODE = 1, 1, 7
NODE_OPERATOR, NODE_ATTRIBUTE, ATTRIBUTE_GRAPHS = 4, 5, (6, 11)
GRAPH_WEIGHT, ATTRIBUTE_WEIGHTS, WEIGHT_BESIDE = 5, (5, 10), 13
VARINT, EIGHT, TEXT, FOUR = 0, 1, 2, 5  # kinds of fields

Span = Tuple[int, int]


def check(path: Union[str, pathlib.Path]) -> None:
    """Refuse a file that could cost a library more than any tracker's.

    Raises:
        BadNetwork: it is too large, has too many nodes, is too deep, has a loop, can't be read, or
            is not ONNX.
    """
    try:
        size = os.path.getsize(str(path))
        if size > MOST_BYTES:
            raise too_large(path)
        with open(str(path), "rb") as file:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                _Scan(path, data).model((0, size))
    except (OSError, ValueError) as error:
        raise BadNetwork(
            f"{path} is not a whole ONNX file ({error}); fetch it again",
            what="not ONNX",
            where=path,
        ) from None


def _too_much(path: Union[str, pathlib.Path], what: str) -> BadNetwork:
    return BadNetwork(
        f"{path} has {what}; export the network again, without control flow and unrolled parts",
        what="over the budget",
        where=path,
    )


class _Scan:
    """Counts what one file has."""

    def __init__(self, path: Union[str, pathlib.Path], data: Any) -> None:
        self._path, self._data, self._nodes = path, data, 0
        self._bytes = len(data)

    def model(self, span: Span) -> None:
        """Check a whole file."""
        calls: List[bytes] = []  # operators of the graph
        bodies: Dict[bytes, List[bytes]] = {}  # those of each function
        for field, part in self._fields(span):
            if field == MODEL_GRAPH:
                calls += self._operators(part, GRAPH_NODE, 0)
            elif field == MODEL_FUNCTION:
                names = [self._text(p) for f, p in self._fields(part) if f == FUNCTION_NAME]
                bodies.setdefault(b"".join(names), []).extend(
                    self._operators(part, FUNCTION_NODE, 0)
                )
        self._unfold(calls, bodies)

    def _operators(self, graph: Span, field_of_nodes: int, depth: int) -> List[bytes]:
        """The operators of a graph and of those inside its nodes."""
        if depth > DEEPEST:
            raise _too_much(self._path, f"graphs inside of graphs, deeper than {DEEPEST}")
        found: List[bytes] = []
        for field, node in self._fields(graph):
            if field == GRAPH_WEIGHT and field_of_nodes == GRAPH_NODE:
                self._weight(node)
            if field != field_of_nodes:
                continue
            self._count(1)
            for own, part in self._fields(node):
                if own == NODE_OPERATOR:
                    found.append(self._text(part))
                    if found[-1] in LOOPS:
                        name = found[-1].decode()
                        raise _too_much(self._path, f"a {name}, which no tracker needs")
                elif own == NODE_ATTRIBUTE:
                    for inner, inside in self._fields(part):
                        if inner in ATTRIBUTE_GRAPHS:
                            found += self._operators(inside, GRAPH_NODE, depth + 1)
                        elif inner in ATTRIBUTE_WEIGHTS:
                            self._weight(inside)
        return found

    def _weight(self, weight: Span) -> None:
        """Count the bytes that a weight has in another file: as stated, or all behind its start."""
        stated: Dict[bytes, bytes] = {}
        for field, entry in self._fields(weight):
            if field == WEIGHT_BESIDE:
                texts = {own: self._text(part) for own, part in self._fields(entry)}
                stated[texts.get(1, b"")] = texts.get(2, b"")
        if not stated:
            return
        start, length = (int(stated.get(name) or 0) for name in (b"offset", b"length"))
        if start < 0 or length < 0:
            raise ValueError("a weight in another file has a length below 0")
        if not length:
            name = os.fsdecode(stated.get(b"location", b""))
            beside = os.path.join(os.path.dirname(str(self._path)), name)
            length = max(0, os.path.getsize(beside) - start) if os.path.exists(beside) else 0
        self._bytes += length
        if self._bytes > MOST_BYTES:
            raise too_large(self._path)

    def _unfold(self, calls: List[bytes], bodies: Dict[bytes, List[bytes]]) -> None:
        """Count the nodes of functions as often as they are called."""
        sizes: Dict[bytes, int] = {}

        def size(name: bytes, above: Set[bytes]) -> int:
            if name not in bodies:
                return 1
            if name in above or len(above) > DEEPEST:
                raise _too_much(self._path, "functions that call each other without an end")
            if name not in sizes:
                sizes[name] = sum(size(each, above | {name}) for each in bodies[name])
            return sizes[name]

        for name in calls:
            self._count(size(name, set()) - 1)

    def _count(self, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MOST_NODES:
            raise _too_much(self._path, f"over {MOST_NODES} nodes")

    def _text(self, part: Span) -> bytes:
        return bytes(self._data[part[0] : min(part[1], part[0] + 256)])

    def _fields(self, span: Span) -> Iterator[Tuple[int, Span]]:
        """(number, place) of each field of a message that has a length."""
        at, end = span
        while at < end:
            tag, at = self._varint(at, end)
            kind = tag & 7
            if kind == VARINT:
                _, at = self._varint(at, end)
            elif kind in (EIGHT, FOUR):
                at += 8 if kind == EIGHT else 4
            elif kind == TEXT:
                length, at = self._varint(at, end)
                if length > end - at:
                    raise ValueError("it is cut short")
                yield tag >> 3, (at, at + length)
                at += length
            else:
                raise ValueError(f"it has a field of kind {kind}")

    def _varint(self, at: int, end: int) -> Tuple[int, int]:
        value = 0
        for shift in range(0, 70, 7):
            if at >= end:
                raise ValueError("it is cut short")
            byte = self._data[at]
            at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value, at
        raise ValueError("it has a number of over ten bytes")
