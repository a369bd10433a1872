"""Base class of engines on a GPU: tensors at fixed addresses, and their copies on the host.

An engine defines its parts, which enqueue themselves on a stream. ``GpuEngine`` runs them on arrays
of the host for ``hotpath.runtime.engines.base``, and on device memory for
``hotpath.kernels.cuda.cuda_windows``.
"""

from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from hotpath.kernels.cuda.device import by_any_thread
from hotpath.runtime.engines import base
from hotpath.runtime.errors import BadNetwork

ALIGNMENT = 256  # bytes: the addresses that TensorRT takes (NvInferRuntime.h, setTensorAddress)
TYPES = ("float32", "float16")  # of tensors
WINDOWS = 4  # that one submission takes; each call of the network takes one


class GpuEngine(base.Engine):
    """An engine whose parts run on a GPU.

    A part is an object with two methods. ``run(handle)`` enqueues it on a stream for one window and
    returns at once. ``bind(name, address)`` moves the tensor of that name to an address, if the
    part has it.

    A subclass calls ``_allocate`` when it knows its tensors. Then it sets ``_exemplar`` (one part)
    and ``_frame`` (the parts of a window, in their order), and runs all parts once.

    Each window has a place in memory for its tensors: picture, features of its target, maps,
    features of the window. There is one place until ``prepare`` makes more.

    Attributes:
        stream: the device's stream for all work.
        dtype: type of all tensors, one of ``TYPES``. On the host all are float32.
        capturable: whether a CUDA graph may capture the work.
        features: names of the tensors that the exemplar part writes and the window's parts read.
        maps: names of the maps, in the order of the network's family.
        shown: names of the window's features: one name if presence needs them, else none.
        most: windows that one submission takes.
        counts: numbers of windows that ``run`` takes, ascending; more than one after ``prepare``.
        search_features: the window's features on the host if ``shown`` names them; else None.
    """

    title = "NVIDIA GPU"
    dtype = "float32"
    capturable = True
    most = WINDOWS
    counts: Sequence[int] = (1,)

    def __init__(self, setup: base.Setup) -> None:
        super().__init__(setup)
        from hotpath.kernels.cuda import device as devices

        self.threads = 1
        self._opened = setup.device is None
        self.device = setup.device or devices.open_device()
        self._exemplar: Any = None
        self._frame: List[Any] = []
        self._frames: Dict[int, List[Any]] = {}  # the parts of so many windows, one after the other
        self._places: Dict[int, int] = {}  # id of parts of a window -> where they are bound
        self._loaded: Any = None  # what ``search`` has uploaded last

    def _allocate(
        self,
        shapes: Mapping[str, Iterable[int]],
        features: Sequence[str],
        maps: Sequence[str],
        search_features: Optional[str] = None,
        dtype: str = "float32",
    ) -> None:
        """Allocate all tensors.

        Args:
            shapes: dict of tensor name -> shape.
            features, maps: names of tensors.
            search_features: name of the output that ``hotpath.graphs.assemble`` added.
            dtype: type of all tensors, one of ``TYPES``.
        """
        if "exemplar_box" in shapes:
            raise BadNetwork(
                f"{self.network.name} needs the box in the exemplar, which no GPU engine passes; "
                "run it on the engine openvino"
            )
        self._shapes = {name: tuple(int(side) for side in s) for name, s in shapes.items()}
        self.dtype, self._kind = dtype, np.dtype(dtype)
        self.stream = self.device.stream()
        self.features, self.maps = tuple(features), tuple(maps)
        self.shown: Tuple[str, ...] = ()
        if search_features is not None and self.network.can_be_lost:
            self.shown = (search_features,)
        self._addresses: Dict[str, int] = {}
        self._moved: Sequence[str] = ()  # names of the tensors that have several places
        self._host = {name: self._pinned(name) for name in ("exemplar", "search", *self.features)}
        self._floats = {name: _as_float(self._host[name]) for name in ("exemplar", "search")}
        self.exemplar_crop, self.search_crop = self._floats["exemplar"], self._floats["search"]
        self._rooms = {name: self._pinned(name) for name in self.maps + self.shown}
        self._written: Any = None  # where the exemplar part writes its features

    def _pinned(self, name: str) -> np.ndarray:
        """Return a pinned array of the host, which the device can copy from and to."""
        array = self.device.pinned(self.size(name)).view(self._kind).reshape(self.shape(name))
        array[...] = 0
        return array

    # ---- on the host's arrays

    @by_any_thread
    def exemplar(self) -> Tuple[Any, ...]:
        self._upload("exemplar")
        self._loaded = None
        own = {name: self.place_of(name) for name in self.features}
        self.run_exemplar(self.device.handle(self.stream), own)
        for name in self.features:
            self.device.download(self._host[name], own[name], self.stream)
        self.device.synchronise(self.stream)
        return tuple(self._host[name].copy() for name in self.features)

    @by_any_thread
    def search(self, features: Any) -> Tuple[Any, ...]:
        if features is not self._loaded:
            for name, values in zip(self.features, features):
                self._host[name][...] = values
                self._upload(name)
        self._upload("search")
        self.run(self.device.handle(self.stream), 1)
        self._loaded = features
        for name in self.maps + self.shown:
            self.device.download(self._rooms[name], self.place_of(name), self.stream)
        self.device.synchronise(self.stream)
        rooms = [self._rooms[name].copy() for name in self.maps + self.shown]  # now in caches
        values = [room.astype(np.float32, copy=False) for room in rooms]
        self.search_features = values[-1] if self.shown else None
        return tuple(values[: len(self.maps)])

    def _upload(self, name: str) -> None:
        host = self._host[name]
        values = self._floats.get(name, host)
        if values is not host:
            host[...] = values
        self.device.upload(self.place_of(name), host, self.stream)

    # ---- on the device's memory

    def shape(self, name: str) -> Tuple[int, ...]:
        """Return the shape of a tensor for one window."""
        return self._shapes[name]

    def size(self, name: str) -> int:
        """Return the bytes of a tensor for one window."""
        return int(self._kind.itemsize * np.prod(self._shapes[name], dtype=np.int64))

    def apart(self, name: str) -> int:
        """Return the bytes from a window's tensor to that of the next window."""
        return -(-self.size(name) // ALIGNMENT) * ALIGNMENT

    def place_of(self, name: str) -> int:
        """Return the address of a tensor of the first window."""
        if name not in self._addresses:
            self._addresses[name] = self.device.alloc(self.size(name))
        return self._addresses[name]

    @by_any_thread
    def prepare(self) -> None:
        """Make aligned places for ``most`` windows, and load the network for them, once."""
        if len(self.counts) > 1:
            return
        self.counts = range(1, self.most + 1)
        self._moved = ("search", *self.features, *self.maps, *self.shown)
        for name in self._moved:
            self.device.free(self._addresses.pop(name, 0))
            self._addresses[name] = self.device.alloc(self.apart(name) * max(self.counts))
        self._written = None
        self._move_to(self._frame, 0)
        for count in self.counts[1:]:
            self._frames[count] = self._another_frame()
        handle = self.device.handle(self.stream)
        for count in self.counts:
            self.run(handle, count)
        self.device.synchronise(self.stream)

    def _another_frame(self) -> List[Any]:
        """Return the parts of a window for one more captured graph; the same if it may share."""
        return self._frame

    def _move_to(self, frame: List[Any], place: int) -> None:
        """Bind the parts of a window to one place."""
        bind(frame, {n: self.place_of(n) + place * self.apart(n) for n in self._moved})
        self._places[id(frame)] = place

    def run_exemplar(self, handle: Any, features: Dict[str, int]) -> None:
        """Enqueue the exemplar's part on the stream.

        Args:
            handle: handle of the stream.
            features: dict of each name of ``features`` -> address to write it to.
        """
        if features != self._written:
            bind([self._exemplar], features)
            self._written = dict(features)
        self._exemplar.run(handle)

    def run(self, handle: Any, count: int) -> None:
        """Enqueue the network on the stream, for the windows in the first places.

        Args:
            handle: handle of the stream.
            count: number of windows, one of ``counts``.
        """
        self._loaded = None
        frame = self._frames.get(count, self._frame)
        for place in range(count):
            if place != self._places.get(id(frame), 0):
                self._move_to(frame, place)
            for part in frame:
                part.run(handle)

    @by_any_thread
    def close(self) -> None:
        """Release the parts before the memory that they point to."""
        self._exemplar = None
        self._frame = []
        self._frames = {}
        if self._opened:
            self.device.close()


def bind(parts: Iterable[Any], addresses: Dict[str, int]) -> None:
    """Move tensors of parts to addresses; takes a dict of name -> address."""
    for part in parts:
        for name, address in addresses.items():
            part.bind(name, address)


def _as_float(array: np.ndarray) -> np.ndarray:
    """Return the float32 array of the host that users read and write, for any tensor type."""
    return array if array.dtype == np.float32 else np.zeros(array.shape, np.float32)
