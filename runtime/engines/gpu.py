"""What the engines of a GPU share: tensors at fixed addresses, and arrays of the host beside them.

An engine gives its parts, objects with ``run(handle)`` that put themselves on a stream. Here is how
they are used: on the host's arrays, as ``runtime.engines.base`` says, and on the device's memory,
as ``kernels.cuda.frame`` says.
"""

import functools
import weakref
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from runtime.engines import base
from runtime.errors import BadNetwork

IMAGES = ("exemplar", "search")
TYPES = ("float32", "float16")  # of tensors


class Memory:
    """Tensors of a device, all of one type, each with one address for ever.

    Args:
        device: an open ``kernels.cuda.device``.
        shapes: dict of tensor name -> shape.
        dtype: one of ``TYPES``.
    """

    def __init__(
        self, device: Any, shapes: Mapping[str, Iterable[int]], dtype: str = "float32"
    ) -> None:
        self.device, self.dtype = device, np.dtype(dtype)
        self.shapes = {name: tuple(int(side) for side in s) for name, s in shapes.items()}
        self._addresses: Dict[str, int] = {}

    def address(self, name: str) -> int:
        """The address of a tensor; tensors of the same name share it."""
        if name not in self._addresses:
            self._addresses[name] = self.device.alloc(self.size(name))
        return self._addresses[name]

    def enlarge(self, name: str, times: int) -> None:
        """Give a tensor a new address, at which it has room so many times."""
        self.device.free(self.address(name))
        self._addresses[name] = self.device.alloc(times * self.size(name))

    def size(self, name: str) -> int:
        """Bytes of a tensor."""
        return int(self.dtype.itemsize * np.prod(self.shapes[name], dtype=np.int64))

    def host_array(self, name: str) -> Any:
        """An array of the host that the device copies from and to by itself."""
        array = self.device.pinned(self.size(name)).view(self.dtype).reshape(self.shapes[name])
        array[...] = 0
        return array


class SharedParts:
    """The parts for so many search regions; batches share them in turn. ``user`` has bound them."""

    def __init__(self, parts: Sequence[Any]) -> None:
        self.parts = list(parts)
        self.user: Any = None


class DeviceBatch:
    """The search of several regions in one call, on the places that the engine has reserved.

    Args:
        engine: the ``GpuEngine``.
        shared: the network for so many regions.
        features: of each region's target.
    """

    def __init__(
        self, engine: "GpuEngine", shared: SharedParts, features: Sequence[Mapping[str, int]]
    ) -> None:
        from kernels.cuda.target_memory import TargetMemory  # only where a GPU is used

        self._engine = engine
        self._shared: Optional[SharedParts] = shared
        self._sizes = {name: engine.memory.size(name) for name in features[0]}
        self._memory_of = functools.partial(TargetMemory, engine.device, self._sizes)
        self._features = self._memory_of(len(features))
        self.take(features)
        self._bound_at = -1

    def take(self, features: Sequence[Mapping[str, int]]) -> None:
        """Copy the features of each region's target; no work may be in flight."""
        for number, own in enumerate(features):
            self._memory_of(at=own).copy_to(self._features.place(number), self._engine.stream)

    def run(self, handle: Any) -> None:
        """Put it on the stream."""
        shared, engine = self._shared, self._engine
        assert shared is not None, "the batch was closed"
        if shared.user is not self or self._bound_at != engine.moves:
            shared.user, self._bound_at = self, engine.moves
            addresses = {name: engine.memory.address(name) for name in engine.of_places}
            addresses.update((name, self._features.address(name)) for name in self._sizes)
            bind(shared.parts, addresses)
        for part in shared.parts:
            part.run(handle)

    def close(self) -> None:
        """Free the copies of the features."""
        if self._shared is not None and self._shared.user is self:
            self._shared.user = None
        self._shared = None
        self._features.close()


class GpuEngine(base.Engine):
    """An engine whose parts run on a GPU.

    A part is an object with ``run(handle)``, which puts it on a stream and returns at once, and
    ``bind(name, address)``, which moves a tensor to an address if the part has one of that name.

    A subclass calls ``_allocate`` when it knows its tensors. Then it sets ``_exemplar`` (one part)
    and ``_frame`` (the parts of a frame, in their order), and runs all parts once.

    Attributes:
        stream: of the device; all work goes there.
        exemplar_input, search_input: addresses of the inputs, (1, 3, side, side).
        dtype: of all tensors, one of ``TYPES``. On the host all are float32.
        capturable: whether its work may be captured in a CUDA graph.
        maps: addresses of the maps, in the order of the network's family. With several places (see
            ``reserve``) those of a place follow the last one's.
        of_places: names of the tensors of which there is one for each place (see ``reserve``).
        search_features_device: (address, shape) of the search region's features, or None.
        moves: how often ``reserve`` has moved the inputs and maps.
        search_features: the same on the host, where the network's targets are watched; else None.
    """

    title = "NVIDIA GPU"
    pipelines = True
    dtype = "float32"
    search_features_device: Optional[Tuple[int, Tuple[int, ...]]] = None
    capturable = True
    moves = 0

    def __init__(self, setup: base.Setup) -> None:
        super().__init__(setup)
        from kernels.cuda import device as devices

        self.threads = 1
        self._opened = setup.device is None
        self.device = setup.device or devices.open_device(latency=setup.latency)
        self._exemplar: Any = None
        self._frame: List[Any] = []
        self._loaded: Any = None
        # count of regions -> what their batches share, as long as there is one
        self._several: Any = weakref.WeakValueDictionary()

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
            search_features: name of the output that ``runtime.graphs.assemble`` added.
            dtype: of all tensors, one of ``TYPES``.
        """
        if "exemplar_box" in shapes:
            raise BadNetwork(
                f"{self.network.name} takes the target's box in the exemplar, which no GPU gives; "
                "run it with --engine openvino"
            )
        memory = self.memory = Memory(self.device, shapes, dtype)
        self.dtype = dtype
        self.stream = self.device.stream()
        self._features, self._maps = tuple(features), tuple(maps)
        self._watched: Tuple[str, ...] = ()
        if search_features is not None and self.network.lost_below > 0:
            self._watched = (search_features,)
        self._host = {n: memory.host_array(n) for n in IMAGES + self._features}
        self._rooms: Dict[str, Any] = {}  # for what is read, of the most regions so far
        self._floats = {n: _as_float(self._host[n]) for n in IMAGES}
        self.exemplar_crop, self.search_crop = (self._floats[name] for name in IMAGES)
        self._places, self._place = 1, 0
        self._compared = search_features
        self.of_places = ("search",) + self._maps + ((search_features,) if search_features else ())
        self._look_up()
        self._own = {name: memory.address(name) for name in self._features}
        self._written = self._read = self._own  # where the features of the parts lie now

    def _look_up(self) -> None:
        """Read where the tensors are now."""
        memory, compared = self.memory, self._compared
        self.exemplar_input, self.search_input = (memory.address(name) for name in IMAGES)
        self.maps = tuple(memory.address(name) for name in self._maps)
        if compared is not None:
            self.search_features_device = memory.address(compared), memory.shapes[compared]

    # on the host's arrays

    def exemplar(self) -> Tuple[Any, ...]:
        """See ``runtime.engines.base.Engine``."""
        self._upload("exemplar")
        self._loaded = None
        self.exemplar_device(self.device.handle(self.stream), self._own)
        for name in self._features:
            self.device.download(self._host[name], self.memory.address(name), self.stream)
        self.device.synchronise(self.stream)
        return tuple(self._host[name].copy() for name in self._features)

    def search(self, features: Any) -> Tuple[Any, ...]:
        """See ``runtime.engines.base.Searcher``."""
        if features is not self._loaded:
            for name, values in zip(self._features, features):
                self._host[name][...] = values
                self._upload(name)
            self._loaded = features
        self._upload("search")
        self.search_device(self.device.handle(self.stream), self._own)
        return self.read()

    def read(self) -> Tuple[Any, ...]:
        """Wait for the device; returns the maps of place 0, as ``search`` does.

        ``search_features`` then holds the features of the search region.
        """
        maps, self.search_features = self.read_regions(1)[0]
        return maps

    def read_regions(self, count: int) -> List[Tuple[Tuple[Any, ...], Any]]:
        """Wait for the device; returns (maps, features of the search region) of the first places.

        The features are None where the network's targets are not watched.
        """
        memory, values = self.memory, []
        for name in self._maps + self._watched:
            if len(self._rooms.get(name, ())) < count:
                room = self.device.pinned(count * memory.size(name)).view(memory.dtype)
                self._rooms[name] = room.reshape((count,) + memory.shapes[name])
            values.append(self._rooms[name][:count])
            self.device.download(values[-1], memory.address(name), self.stream)
        self.device.synchronise(self.stream)
        *maps, seen = [floats_of(room) for room in values] + [[None] * count] * (not self._watched)
        return [(tuple(each[n] for each in maps), seen[n]) for n in range(count)]

    # on the device's memory

    def new_features(self) -> Dict[str, int]:
        """Memory for one target's features: dict of name -> address."""
        return {name: self.device.alloc(self.memory.size(name)) for name in self._features}

    def free_features(self, features: Dict[str, int]) -> None:
        """Free the memory of a target's features; no work that uses it may be in flight."""
        for address in features.values():
            self.device.free(address)

    def reserve(self, places: int) -> None:
        """Make room for that many search regions, their maps and their features.

        No frame may be in flight. Graphs that were captured before are no longer valid (``moves``).
        """
        if places <= self._places:
            return
        for name in self.of_places:
            self.memory.enlarge(name, places)
        self._look_up()
        self._places = places
        self.moves += 1
        self._move_to(0)

    def room_for_features(self, targets: int) -> Any:
        """Memory of the host for the features of so many targets' search regions.

        Returns:
            an array (targets, 1, channels, cells) of the tensors' type; None where the targets of
            this network are not watched.
        """
        if not self._watched:
            return None
        shape = self.memory.shapes[self._watched[0]]
        room = self.device.pinned(targets * self.memory.size(self._watched[0]))
        return room.view(self.memory.dtype).reshape((targets,) + shape)

    def download_features(self, room: Any) -> None:
        """Enqueue: copy the features of the first targets' search regions to ``room``."""
        assert self.search_features_device is not None, "the graph shows no features"
        self.device.download(room, self.search_features_device[0], self.stream)

    def batch_device(self, features: Sequence[Dict[str, int]]) -> Optional["DeviceBatch"]:
        """The search of several regions in one call; None where the network takes one at a time.

        Args:
            features: of each region's target, from ``new_features``; they are copied.
        """
        count = len(features)
        shared = self._several.get(count)
        if shared is None:
            parts = self._parts_for(count)
            if parts is None:
                return None
            shared = self._several[count] = SharedParts(parts)
        return DeviceBatch(self, shared, features)

    def _parts_for(self, count: int) -> Optional[List[Any]]:
        """The network for so many search regions; None where it takes one at a time."""
        return None

    def _move_to(self, place: int) -> None:
        """Let the parts of a frame read and write one place."""
        memory = self.memory
        bind(self._frame, {n: memory.address(n) + place * memory.size(n) for n in self.of_places})
        self._place = place

    def exemplar_device(self, handle: Any, features: Dict[str, int]) -> None:
        """Put the exemplar's part on the stream; it writes its features to ``features``."""
        if features is not self._written:
            bind([self._exemplar], features)
            self._written = features
        self._exemplar.run(handle)

    def write_exemplar(self, pictures: Any, features: Dict[str, int]) -> None:
        """Run the exemplar's part on pictures of the host; its features go to ``features``."""
        self.exemplar_crop[...] = pictures
        self._upload("exemplar")
        self.exemplar_device(self.device.handle(self.stream), features)
        self.device.synchronise(self.stream)

    def search_device(self, handle: Any, features: Dict[str, int], place: int = 0) -> None:
        """Put the parts of a frame on the stream, for the target with these features.

        Args:
            handle: of the stream.
            features: from ``new_features``.
            place: which of the search regions (see ``reserve``).
        """
        if place != self._place:
            self._move_to(place)
        if features is not self._read:
            bind(self._frame, features)
            self._read = features
        for part in self._frame:
            part.run(handle)

    def close(self) -> None:
        """Release the parts before the memory that they point to."""
        self._exemplar, self._frame = None, []
        for shared in list(self._several.values()):
            shared.parts = []
        if self._opened:
            self.device.close()

    def _upload(self, name: str) -> None:
        host = self._host[name]
        given = self._floats.get(name, host)
        if given is not host:
            host[...] = given
        self.device.upload(self.memory.address(name), host, self.stream)


def bind(parts: Iterable[Any], addresses: Dict[str, int]) -> None:
    """Move tensors of parts to addresses: name -> address."""
    for part in parts:
        for name, address in addresses.items():
            part.bind(name, address)


def floats_of(pinned: np.ndarray) -> np.ndarray:
    """A float32 copy of a pinned array: one copy into cached memory, converted there.

    Where caches hold no pinned memory, each number that is read from it alone waits for the memory.
    """
    return pinned.copy().astype(np.float32, copy=False)


def _as_float(array: Any) -> Any:
    """The array of the host that users read and write: float32, whatever the tensor is."""
    return array if array.dtype == np.float32 else np.zeros(array.shape, np.float32)
