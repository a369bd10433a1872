"""An engine for tests on the (fake) GPU: the kernels of network.cu compute its network."""

import os

import numpy as np

from kernels.cuda import compile as compiler
from tests.fakes.cuda import build

NETWORK = os.path.join(build.HERE, "network.cu")


class Engine:
    """An engine as ``kernels.cuda.frame`` takes it; ``seen``: with the search region's features."""

    dtype = "float32"
    capturable = pipelines = True
    moves = 0
    bundle = fabric = None
    search_features = None  # on the host

    def __init__(self, device, network, seen=False):
        self.device, self.network = device, network
        module = device.module(compiler.binary(NETWORK, device.capability, device.driver_version))
        self._exemplar = device.kernel(module, "tiny_exemplar")
        self._search = device.kernel(module, "tiny_search")
        cells = network.map_size**2
        self.exemplar_input = device.alloc(12 * network.exemplar**2)
        self.search_input = device.alloc(12 * network.search**2)
        self._map_bytes, self.places = (8 * cells, 16 * cells), 1
        self.maps = tuple(device.alloc(size) for size in self._map_bytes)
        self.search_features_device = None
        if seen:
            self._see = device.kernel(module, "tiny_seen")
            self.search_features_device = device.alloc(12 * cells), (1, 3, cells)
        self.stream = device.stream()
        self.calls = 0
        self.before_search = lambda: None  # a test replaces it by what a library must not do

    def new_features(self):
        return self.device.alloc(12)

    def free_features(self, features):
        self.device.free(features)

    def exemplar_device(self, handle, features):
        self._check(handle)
        arguments = np.uint64(self.exemplar_input), np.int32(self.network.exemplar)
        arguments += (np.uint64(features),)
        self.device.launch(self._exemplar, (1, 1, 1), (3, 1, 1), arguments, self.stream)

    def reserve(self, places):
        if places <= self.places:
            return
        self.places, sizes = places, (12 * self.network.search**2,) + self._map_bytes
        addresses = [self.device.alloc(places * size) for size in sizes]
        self.search_input, self.maps = addresses[0], tuple(addresses[1:])
        if self.search_features_device:
            shape = self.search_features_device[1]
            room = self.device.alloc(4 * places * shape[1] * shape[2])
            self.search_features_device = room, shape
        self.moves += 1

    def batch_device(self, features):
        return None  # its kernels take one search region

    def search_device(self, handle, features, place=0):
        self._check(handle)
        self.calls += 1
        self.before_search()
        network = self.network
        picture = self.search_input + place * 12 * network.search**2
        arguments = np.uint64(picture), np.uint64(features)
        arguments += np.int32(network.search), np.int32(network.map_size), np.int32(network.stride)
        maps = zip(self.maps, self._map_bytes)
        arguments += tuple(np.uint64(address + place * size) for address, size in maps)
        size = network.map_size, 1, 1
        self.device.launch(self._search, size, size, arguments, self.stream)
        if self.search_features_device:
            at, shape = self.search_features_device
            at += place * 4 * shape[1] * shape[2]
            arguments = arguments[:1] + arguments[2:5] + (np.uint64(at),)
            self.device.launch(self._see, size, size, arguments, self.stream)

    def close(self):
        """Do nothing: all memory belongs to the device."""

    def _check(self, handle):
        if handle != self.device.handle(self.stream):
            raise AssertionError("another stream than the frame's")
