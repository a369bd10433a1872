"""A whole frame on the GPU: the frame goes in, a box of 64 bytes comes out.

    upload -> crop -> network -> select -> watch -> download

The target's state stays on the GPU: select moves it and plans the next frame's crop, watch says
whether it is lost (``runtime.loss``) where the network says below what. What follows the upload is
one CUDA graph where the driver has them, launched as one thing.

The network is an object with device memory, an engine of ``runtime/engines``:

    engine.stream                                 a stream of the device; all work goes there
    engine.exemplar_input, engine.search_input    addresses of its (1, 3, side, side) inputs
    engine.input_dtype, engine.input_step         name in ``layout.FORMATS``; step of int8
    engine.scores, engine.distances               addresses of its maps, float32
    engine.seen_device                            (address, shape) of the search region's features,
                                                  or None
    engine.new_features()                         memory for one target's features, as it likes
    engine.free_features(features)                gives it back
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
from kernels.cuda.slot import Slot
from kernels.cuda.watch import Watch
from kernels.errors import NO_SCORE, HotpathError, NetworkFailed

CROP_BLOCK = (32, 8, 1)
SELECT_BLOCK = (256, 1, 1)

Found = namedtuple("Found", "state score cell lost held certainty")
Found.__doc__ = """What a frame gave.

Attributes:
    state: float64 [cx, cy, w, h], frame pixels.
    score: 0 to 1.
    cell: index of the winning cell, row-major.
    lost, held: whether the target is lost, and whether so the last certain state was kept.
    certainty: that it is there, smoothed, float32; 0 where nobody watches.
"""


class Frame:
    """One target's frames.

    Args:
        device: see ``kernels.cuda.device``.
        network: the ``Network``.
        engine: see above; opened on the same device.
        slots: frames that may be on the way at a time. With more than one, whole frames are
            uploaded, since where the target will be is not known yet, and on a stream of their own,
            beside what is computed of the frame before.
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
        self._log = log or (lambda sentence: None)
        self._stream = engine.stream
        self._handle = device.handle(self._stream)
        self._crop, self._aim, self._select = self._kernels()
        self._newest = None  # the slot that was submitted last
        self._submitted = self._collected = 0
        self._size = None
        self._owned, self._slots, self._features, self._watch = [], [], None, None
        self._copies = device.stream() if slots > 1 else self._stream
        try:
            self._make_room(slots, 4 if profile else 0)
        except HotpathError:
            self.close()
            raise
        self._timed = self._slots[0]  # whose result was taken last

    def _make_room(self, slots, marks):
        """Have the memory that does not depend on the frames' size."""
        network, device = self.network, self.device
        self._features = self.engine.new_features()
        self._watch = Watch(device, network, self.engine.seen_device, self._stream)
        self._pose = self._alloc(layout.POSE.itemsize)
        self._plan = self._alloc(layout.SITE.itemsize * max(network.search, network.exemplar))
        points, window = layout.points(network)
        self._view, self._points, self._window = (
            self._on_device(values) for values in (layout.view(network), points, window)
        )
        self._inputs = [self._alloc(layout.INPUT.itemsize) for _ in range(2)]
        self._setup = device.pinned(layout.POSE.itemsize + 2 * layout.INPUT.itemsize)
        self._slots = [Slot(device, marks) for _ in range(slots)]

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
        self._newest = None  # until the target is whole
        self._submitted = self._collected = 0
        self._fit(frame)
        self._size = pictures.shape_of(frame)
        slot = self._slots[0]
        self._upload_inputs(border)
        self._upload_pose(state)
        self._watch.begin(state)
        self._upload(slot, frame, (0, 0) + self._size, self._stream)
        self._launch_aim(1)
        self._launch_crop(slot, 0, self.network.exemplar, self.engine.exemplar_input)
        self.engine.exemplar_device(self._handle, self._features)
        self._launch_aim(0)
        # once before it is captured: libraries set themselves up in their first call
        self._launch_crop(slot, 1, self.network.search, self.engine.search_input)
        self.engine.search_device(self._handle, self._features)
        self._watch.remember(self._view, self._pose, self._plan)
        self.device.download(slot.result, self._pose, self._stream)
        self.device.synchronise(self._stream)
        self._newest = slot
        if self.uses_graph:
            self._capture()

    def submit(self, frame):
        """Send the next frame; returns at once. ``result`` gives what becomes of it.

        Args:
            frame: as in ``begin``; of another size, the target is scaled with it.
        """
        if self._newest is None:
            raise NetworkFailed("there is no target yet; call begin first")
        if self.on_the_way == len(self._slots):
            raise RuntimeError(
                "all {} frames are on the way; take a result".format(len(self._slots))
            )
        room = all(slot.fits(frame) for slot in self._slots)
        if pictures.shape_of(frame) != self._size or not room:
            self._rescale(frame)
        slot = self._slots[self._submitted % len(self._slots)]
        try:
            self._send(slot, frame)
        except HotpathError:  # half of a frame is on the way: it is none, and the target stays
            self._settle()
            raise
        self._newest = slot
        self._submitted += 1

    def result(self):
        """Wait for the oldest frame that was submitted.

        Returns:
            ``Found``.

        Raises:
            NetworkFailed: the network gave nothing finite; the target stays where it was.
            GpuFailed: a kernel failed.
        """
        if not self.on_the_way:
            raise RuntimeError("no frame is on the way; submit one")
        slot = self._timed = self._slots[self._collected % len(self._slots)]
        self._collected += 1
        self.device.wait(slot.done)
        pose = slot.pose
        flags = int(pose["flags"])
        if flags & layout.NOT_UPLOADED:
            raise GpuFailed("the search region was not uploaded; take the target again")
        if flags & (layout.NO_SCORE | layout.NOT_FINITE):
            raise NetworkFailed(NO_SCORE)
        return Found(
            pose["state"].copy(), float(pose["score"]), int(pose["cell"]),
            bool(flags & layout.LOST), bool(flags & layout.HELD), float(pose["certainty"]),
        )  # fmt: skip

    def step_ms(self):
        """Time of the steps on the GPU of the frame whose result was taken last, with ``profile``:
        dict of milliseconds. Read it before the next frame is submitted.
        """
        marks = self._timed.marks
        steps = zip(("crop", "network", "select"), marks, marks[1:])
        return {name: self.device.elapsed_ms(first, second) for name, first, second in steps}

    @property
    def on_the_way(self):
        """How many frames were submitted whose results were not taken."""
        return self._submitted - self._collected

    def close(self):
        """Give the graphs and the memory back; nothing can be done with it after."""
        self._settle()
        for slot in self._slots:
            slot.close(self.device)
        for address in self._owned:
            self.device.free(address)
        if self._watch is not None:
            self._watch.close()
        if self._features is not None:
            self.engine.free_features(self._features)
        self._newest = self._features = None
        self._submitted = self._collected = 0
        self._owned = []

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
        address = self._alloc(values.nbytes)
        self.device.upload(address, staging, self._stream)
        self.device.synchronise(self._stream)
        return address

    def _alloc(self, size):
        self._owned.append(self.device.alloc(size))
        return self._owned[-1]

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

    def _send(self, slot, frame):
        self._upload(slot, frame, self._part(), self._copies)
        if self._copies is not self._stream:
            self.device.record(slot.uploaded, self._copies)
            self.device.follow(self._stream, slot.uploaded)
        if slot.graph is not None:
            slot.graph.launch(self._handle)
            self.device.counters.add(slot.captured)
        else:
            self._enqueue(slot)
        self.device.record(slot.done, self._stream)

    def _part(self):
        """What of the next frame is uploaded: (x, y, w, h)."""
        if len(self._slots) > 1:
            return (0, 0) + self._size
        pose = self._newest.pose
        window = int(pose["x"]), int(pose["y"]), int(pose["side"])
        return pictures.part_of(window, *self._size)

    def _upload(self, slot, frame, part, stream):
        used = pictures.pack(frame, part, slot.staging, slot.picture, self._submitted)
        self.device.upload(slot.picture, slot.staging[:used], stream)

    def _rescale(self, frame):
        """The source changed its resolution or kind: carry the target over in proportion."""
        self._drain()
        width, height = pictures.shape_of(frame)
        x, y = float(width) / self._size[0], float(height) / self._size[1]
        self._fit(frame)
        self._size = width, height
        self._upload_pose(self._newest.pose["state"] * (x, y, x, y))
        self._watch.rescale((x, y, x, y))
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
        except (graphs.NoGraph, HotpathError) as error:
            self.uses_graph = False
            for slot in self._slots:
                slot.forget_graph()
            self._log("frames are launched step by step: {}".format(error))

    def _enqueue(self, slot):
        """Put a frame's steps on the stream, after its upload."""
        network, engine, device = self.network, self.engine, self.device
        self._mark(slot, 0)
        self._launch_crop(slot, 1, network.search, engine.search_input)
        self._mark(slot, 1)
        engine.search_device(self._handle, self._features)
        self._mark(slot, 2)
        arguments = [self._points, self._view, self._window, engine.scores, engine.distances]
        arguments += [slot.picture, self._watch.address, self._pose, self._plan]
        device.launch(
            self._select, (1, 1, 1), SELECT_BLOCK, [np.uint64(a) for a in arguments], self._stream
        )
        self._watch.judge(self._view, self._pose, self._plan)
        device.download(slot.result, self._pose, self._stream)
        self._mark(slot, 3)

    def _mark(self, slot, number):
        if slot.marks:
            self.device.record(slot.marks[number], self._stream)

    def _launch_aim(self, exemplar):
        arguments = [np.uint64(self._view), np.uint64(self._watch.address), np.int32(exemplar)]
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
        if self.on_the_way:
            self.device.synchronise(self._stream)

    def _settle(self):
        """Wait for whatever was asked of the GPU, also of one that broke off."""
        for stream in {id(s): s for s in (self._copies, self._stream)}.values():
            try:
                self.device.synchronise(stream)
            except GpuFailed:
                pass
