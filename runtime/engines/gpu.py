"""What executors on a GPU share: tensors at fixed addresses, the host's arrays beside them.

An executor gives its parts, objects with ``run(handle)`` that put themselves on a stream; this
gives both of its faces: that of ``runtime.engines``, on the host's arrays, and that of
``kernels.cuda.frame``, on the device's memory.
"""

import numpy as np

IMAGES = ("exemplar", "search")


class Memory:
    """Tensors of a device, float32, each with one address for ever.

    Args:
        device: an open ``kernels.cuda.device``.
        shapes: dict of tensor name -> shape.
    """

    def __init__(self, device, shapes):
        self.device = device
        self.shapes = {name: tuple(int(side) for side in s) for name, s in shapes.items()}
        self._addresses = {}

    def address(self, name):
        """The address of a tensor; tensors of the same name share it."""
        if name not in self._addresses:
            self._addresses[name] = self.device.alloc(self.size(name))
        return self._addresses[name]

    def size(self, name):
        """Bytes of a tensor."""
        return 4 * int(np.prod(self.shapes[name]))

    def host_array(self, name):
        """An array of the host that is copied from and to a tensor without a detour."""
        array = self.device.pinned(self.size(name)).view(np.float32).reshape(self.shapes[name])
        array[:] = 0
        return array


class OnGpu:
    """An engine (see ``runtime.engines``) whose parts run on a GPU.

    A part is an object with ``run(handle)``, which puts it on a stream and returns at once, and
    ``bind(name, address)``, which lets a tensor lie elsewhere, if it has one of that name.

    Args:
        memory: ``Memory`` of all tensors.
        network: the ``Network``.
        features, maps: names of tensors.
        seen: name of the search region's features (``runtime.graphs.search_features``), or None.

    A subclass sets ``_exemplar`` (one part) and ``_frame`` (a frame's, in their order), then calls
    ``warm_up``.

    Attributes:
        stream: of the device; all work goes there.
        seen_device: (address, shape) of the search region's features, or None.
        seen: the same on the host, where the network's targets are watched; else None.
    """

    seen_device = seen = None
    input_dtype = "float32"
    input_step = 1.0

    def __init__(self, memory, network, features, maps, seen=None):
        self.memory, self.device = memory, memory.device
        self.stream = self.device.stream()
        self._features, self._maps = tuple(features), tuple(maps)
        self._seen = () if seen is None or network.lost_below <= 0 else (seen,)
        self._host = {n: memory.host_array(n) for n in IMAGES + self._features + self._maps}
        self._results = tuple(self._host[name] for name in self._maps)
        self.exemplar_crop, self.search_crop = self._host["exemplar"], self._host["search"]
        self.exemplar_input, self.search_input = (memory.address(name) for name in IMAGES)
        if len(self._maps) == 2:
            self.scores, self.distances = (memory.address(name) for name in self._maps)
        if seen is not None:
            self.seen_device = memory.address(seen), memory.shapes[seen]
        for name in self._seen:
            self._host[name] = self.seen = memory.host_array(name)
        self._own = {name: memory.address(name) for name in self._features}
        self._written = self._read = self._own  # where the parts' features lie now
        self._exemplar, self._frame = None, []  # the subclass's
        self._loaded = None

    def warm_up(self):
        """Run all parts once: libraries set themselves up in their first call."""
        self.search(self.exemplar())

    # -- on the host's arrays

    def exemplar(self):
        """Features of the picture in ``exemplar_crop``: arrays for one target to keep."""
        self._upload("exemplar")
        self._loaded = None
        self.exemplar_device(self.device.handle(self.stream), self._own)
        for name in self._features:
            self._download(name)
        self.device.synchronise(self.stream)
        return tuple(self._host[name].copy() for name in self._features)

    def search(self, features):
        """Maps of the picture in ``search_crop`` for a target's ``features``."""
        if features is not self._loaded:
            for name, array in zip(self._features, features):
                np.copyto(self._host[name], array)
                self._upload(name)
            self._loaded = features
        self._upload("search")
        self.search_device(self.device.handle(self.stream), self._own)
        for name in self._maps + self._seen:
            self._download(name)
        self.device.synchronise(self.stream)
        return self._results

    # -- on the device's memory

    def new_features(self):
        """Memory for one target's features: dict of name -> address."""
        return {name: self.device.alloc(self.memory.size(name)) for name in self._features}

    def free_features(self, features):
        """Give the memory of a target's features back; nothing of it may be on the way."""
        for address in features.values():
            self.device.free(address)

    def exemplar_device(self, handle, features):
        """Put the exemplar's part on the stream; it writes the features there."""
        if features is not self._written:
            self._bind([self._exemplar], features)
            self._written = features
        self._exemplar.run(handle)

    def search_device(self, handle, features):
        """Put a frame's parts on the stream, for the target with these features."""
        if features is not self._read:
            self._bind(self._frame, features)
            self._read = features
        for part in self._frame:
            part.run(handle)

    @staticmethod
    def _bind(parts, features):
        for part in parts:
            for name, address in features.items():
                part.bind(name, address)

    def _upload(self, name):
        self.device.upload(self.memory.address(name), self._host[name], self.stream)

    def _download(self, name):
        self.device.download(self._host[name], self.memory.address(name), self.stream)
