"""A whole frame on the GPU: the frame goes in, a box of 64 bytes comes out.

    upload -> crop -> network -> select -> download

The target's state stays on the GPU: select moves it and plans the next frame's crop. What follows
the upload is one CUDA graph where the driver has them, launched as one thing.

The network is an object with device memory, an engine of ``runtime/engines``:

    engine.stream                                 a stream of the device; all work goes there
    engine.exemplar_input, engine.search_input    addresses of its (1, 3, side, side) inputs
    engine.input_dtype, engine.input_step         name in ``layout.FORMATS``; step of int8
    engine.scores, engine.distances               addresses of its maps, float32
    engine.new_features()                         memory for one target's features, as it likes
    engine.exemplar_device(stream, features)      puts the exemplar's part on a stream (a handle)
    engine.search_device(stream, features)        puts a frame's part on it

The last two return at once, and allocate and synchronise nothing after their first call. Several
targets share one engine: each has a ``Frame`` and features of its own.
"""

import functools
from collections import namedtuple

import numpy as np

from kernels.cuda import compile as compiler
from kernels.cuda import device as devices
from kernels.cuda import graphs, layout, pictures
from kernels.cuda.errors import GpuFailed
from runtime.decode.points import NO_SCORE
from runtime.errors import NetworkFailed

CROP_BLOCK = (32, 8, 1)
SELECT_BLOCK = (256, 1, 1)

Found = namedtuple("Found", "state score cell")
Found.__doc__ = """What a frame gave.

Attributes:
    state: float64 [cx, cy, w, h], frame pixels.
    score: 0 to 1.
    cell: index of the winning cell, row-major.
"""


class Frame:
    """One target's frames.

    Args:
        device: see ``kernels.cuda.device``.
        network: the ``Network``.
        engine: see above; opened on the same device.
        slots: frames that may be on the way at a time. With more than one, whole frames are
            uploaded, since where the target will be is not known yet.
        graph: whether to use a CUDA graph; None: where that is proven.
        profile: whether to time each step, without a graph; see ``step_ms``.
        log: called with one sentence when a graph was wanted and can't be had.

    Raises:
        NotOnGpu: the network's crop or select is not among the kernels.
        NoCompiler, GpuFailed: the kernels can't be compiled or loaded.
    """

    def __init__(self, device, network, engine, slots=1, graph=None, profile=False, log=None):
        layout.check(network)
        self.device, self.network, self.engine = device, network, engine
        self.uses_graph = device.driver_version >= graphs.PROVEN_FROM if graph is None else graph
        self.uses_graph = self.uses_graph and not profile
        self._marks = [device.event() for _ in range(4)] if profile else None
        self._log = log or (lambda sentence: None)
        self._stream = engine.stream
        self._handle = device.handle(self._stream)
        self._features = engine.new_features()
        self._crop, self._aim, self._select = self._kernels()
        self._pose = device.alloc(layout.POSE.itemsize)
        self._plan = device.alloc(layout.SITE.itemsize * max(network.search, network.exemplar))
        points, window = layout.points(network)
        self._view, self._points, self._window = (
            self._on_device(values) for values in (layout.view(network), points, window)
        )
        self._inputs = [device.alloc(layout.INPUT.itemsize) for _ in range(2)]
        self._setup = device.pinned(layout.POSE.itemsize + 2 * layout.INPUT.itemsize)
        self._slots = [_Slot(device) for _ in range(slots)]
        self._newest = None  # the slot that was submitted last
        self._submitted = self._collected = 0
        self._size = None

    def begin(self, frame, state, border):
        """Take a target: crop its exemplar, run that part of the network, aim at the search region.

        Args:
            frame: see ``pictures``.
            state: [cx, cy, w, h], frame pixels.
            border: 3 uint8 values for the pixels outside a frame, BGR.

        Raises:
            GpuFailed: out of memory, or a kernel failed.
        """
        self._drain()
        self._submitted = self._collected = 0
        self._fit(frame)
        self._size = pictures.shape_of(frame)
        slot = self._newest = self._slots[0]
        self._upload_inputs(border)
        self._upload_pose(state)
        self._upload(slot, frame, (0, 0) + self._size)
        self._launch_aim(1)
        self._launch_crop(slot, 0, self.network.exemplar, self.engine.exemplar_input)
        self.engine.exemplar_device(self._handle, self._features)
        self._launch_aim(0)
        # once before it is captured: libraries set themselves up in their first call
        self._launch_crop(slot, 1, self.network.search, self.engine.search_input)
        self.engine.search_device(self._handle, self._features)
        self.device.download(slot.result, self._pose, self._stream)
        self.device.synchronise(self._stream)
        if self.uses_graph:
            self._capture()

    def submit(self, frame):
        """Send the next frame; returns at once. ``result`` gives what becomes of it.

        Args:
            frame: as in ``begin``; of another size, the target is scaled with it.
        """
        if self._newest is None:
            raise NetworkFailed("there is no target yet; call begin first")
        if self._submitted - self._collected == len(self._slots):
            raise RuntimeError(
                "all {} frames are on the way; take a result".format(len(self._slots))
            )
        if pictures.shape_of(frame) != self._size or not self._newest.fits(frame):
            self._rescale(frame)
        slot = self._slots[self._submitted % len(self._slots)]
        self._submitted += 1
        pose = self._newest.pose
        window = int(pose["x"]), int(pose["y"]), int(pose["side"])
        whole = len(self._slots) > 1
        part = (0, 0) + self._size if whole else pictures.part_of(window, *self._size)
        self._upload(slot, frame, part)
        if slot.graph is not None:
            slot.graph.launch(self._handle)
            self.device.counters.add(slot.captured)
        else:
            self._enqueue(slot)
        self.device.record(slot.done, self._stream)
        self._newest = slot

    def result(self):
        """Wait for the oldest frame that was submitted.

        Returns:
            ``Found``.

        Raises:
            NetworkFailed: the network gave nothing finite; the target stays where it was.
            GpuFailed: a kernel failed.
        """
        if self._submitted == self._collected:
            raise RuntimeError("no frame is on the way; submit one")
        slot = self._slots[self._collected % len(self._slots)]
        self._collected += 1
        self.device.wait(slot.done)
        pose = slot.pose
        flags = int(pose["flags"])
        if flags & layout.NOT_UPLOADED:
            raise GpuFailed("the search region was not uploaded; take the target again")
        if flags:
            raise NetworkFailed(NO_SCORE)
        return Found(pose["state"].copy(), float(pose["score"]), int(pose["cell"]))

    def step_ms(self):
        """Time of the last frame's steps on the GPU, with ``profile``: dict of milliseconds.

        Read it before the next frame is submitted.
        """
        steps = zip(("crop", "network", "select"), self._marks, self._marks[1:])
        return {name: self.device.elapsed_ms(first, second) for name, first, second in steps}

    def close(self):
        """Give the graphs back; the memory is the device's."""
        for slot in self._slots:
            slot.forget_graph()

    def _kernels(self):
        device = self.device
        modules = {}
        for name in ("crop", "select"):
            path = compiler.binary(compiler.source(name), device.capability)
            modules[name] = device.module(path)
        self._modules = modules  # a kernel lives as long as its module
        return (
            device.kernel(modules["crop"], "hp_crop"),
            device.kernel(modules["select"], "hp_aim"),
            device.kernel(modules["select"], "hp_select"),
        )

    def _on_device(self, values):
        """A copy of an array on the device, for ever."""
        staging = self.device.pinned(values.nbytes)
        staging[:] = values.view(np.uint8).ravel()
        address = self.device.alloc(values.nbytes)
        self.device.upload(address, staging, self._stream)
        self.device.synchronise(self._stream)
        return address

    def _fit(self, frame):
        """Have memory for frames of this kind."""
        size = pictures.capacity(frame)
        for slot in self._slots:
            slot.fit(self.device, size)

    def _upload_inputs(self, border):
        network, engine = self.network, self.engine
        at = layout.POSE.itemsize
        for address, side in zip(self._inputs, (network.exemplar, network.search)):
            record = layout.network_input(
                network, side, engine.input_dtype, engine.input_step, border
            )
            part = self._setup[at : at + record.nbytes]
            part[:] = record.view(np.uint8)
            self.device.upload(address, part, self._stream)
            at += record.nbytes

    def _upload_pose(self, state):
        part = self._setup[: layout.POSE.itemsize]
        record = np.zeros(1, layout.POSE)
        record["state"] = state
        part[:] = record.view(np.uint8)
        self.device.upload(self._pose, part, self._stream)

    def _upload(self, slot, frame, part):
        used = pictures.pack(frame, part, slot.staging, slot.picture, self._submitted)
        self.device.upload(slot.picture, slot.staging[:used], self._stream)

    def _rescale(self, frame):
        """The source changed its resolution or kind: carry the target over in proportion."""
        self._drain()
        width, height = pictures.shape_of(frame)
        x, y = float(width) / self._size[0], float(height) / self._size[1]
        self._fit(frame)
        self._size = width, height
        self._upload_pose(self._newest.pose["state"] * (x, y, x, y))
        self._launch_aim(0)
        # into the slot that comes next: the others may hold results that were not read yet
        following = self._slots[self._submitted % len(self._slots)]
        self.device.download(following.result, self._pose, self._stream)
        self.device.synchronise(self._stream)
        self._newest = following
        if self.uses_graph:
            self._capture()

    def _capture(self):
        """Make each slot's graph, where it has none or its memory moved."""
        try:
            driver = graphs.Driver(devices.driver())
            for slot in self._slots:
                if slot.graph is None:
                    before = self.device.counters.read()
                    body = functools.partial(self._enqueue, slot)
                    slot.graph = graphs.Graph(driver, self._handle, body)
                    slot.captured = self.device.counters.take_back(before)
                    slot.captured["graph_launches"] = 1
        except (graphs.NoGraph, GpuFailed) as error:
            self.uses_graph = False
            for slot in self._slots:
                slot.forget_graph()
            self._log("frames are launched step by step: {}".format(error))

    def _enqueue(self, slot):
        """Put a frame's steps on the stream, after its upload."""
        network, engine, device = self.network, self.engine, self.device
        self._mark(0)
        self._launch_crop(slot, 1, network.search, engine.search_input)
        self._mark(1)
        engine.search_device(self._handle, self._features)
        self._mark(2)
        arguments = [self._points, self._view, self._window, engine.scores, engine.distances]
        arguments += [slot.picture, self._pose, self._plan]
        device.launch(
            self._select, (1, 1, 1), SELECT_BLOCK, [np.uint64(a) for a in arguments], self._stream
        )
        device.download(slot.result, self._pose, self._stream)
        self._mark(3)

    def _mark(self, number):
        if self._marks:
            self.device.record(self._marks[number], self._stream)

    def _launch_aim(self, exemplar):
        arguments = [np.uint64(self._view), np.int32(exemplar)]
        arguments += [np.uint64(self._pose), np.uint64(self._plan)]
        self.device.launch(self._aim, (1, 1, 1), SELECT_BLOCK, arguments, self._stream)

    def _launch_crop(self, slot, which, side, out):
        columns, rows, _ = CROP_BLOCK
        grid = ((side + columns - 1) // columns, (side + rows - 1) // rows, 1)
        addresses = slot.picture, self._plan, self._inputs[which], out
        arguments = [np.uint64(address) for address in addresses]
        self.device.launch(self._crop, grid, CROP_BLOCK, arguments, self._stream)

    def _drain(self):
        """Wait for all that is on the way; the results can still be read."""
        if self._submitted != self._collected:
            self.device.synchronise(self._stream)


class _Slot:
    """The memory of one frame on its way."""

    def __init__(self, device):
        self.result = device.pinned(layout.POSE.itemsize)
        self.pose = self.result.view(layout.POSE)[0]
        self.done = device.event()
        self.staging = np.zeros(0, np.uint8)
        self.picture = 0
        self.graph = self.captured = None

    def fits(self, frame):
        """Whether there is room for a frame: cameras give one kind, but may change it."""
        return self.staging.size >= pictures.capacity(frame)

    def fit(self, device, size):
        """Have room for so many bytes; what was captured with the old room is forgotten."""
        if self.staging.size >= size:
            return
        self.forget_graph()
        if self.picture:
            device.free(self.picture)
        self.staging = device.pinned(size)
        self.picture = device.alloc(size)

    def forget_graph(self):
        if self.graph is not None:
            self.graph.close()
            self.graph = None
