"""The frames of several targets at once: one upload, one crop, one select, one download.

Each target keeps its own ``Frame``. While they are a group, what the device keeps of them lies one
after the other, so that a launch finds it. The network is one call where the engine has it for so
many search regions, and else a call for each.
"""

from typing import Any, Callable, List, Mapping, Optional, Sequence, Tuple, Union

from kernels.cuda import frames, graphs
from kernels.cuda.frame import Found, Frame
from kernels.cuda.frame_kernels import FrameKernels
from kernels.cuda.slot import Slot
from kernels.errors import HotpathError

NOWHERE: Mapping[int, Sequence[float]] = {}  # no target was found elsewhere


class Group:
    """Targets of one network that take every frame together.

    Args:
        members: their ``Frame``s, of one engine; each has a target, and no frame in flight.
        log: called with one sentence if frames can't be launched as a graph.

    Raises:
        GpuFailed: out of memory. The frames can be used as before.

    Attributes:
        batched: whether the network is one call.
        seen: features of each target's search region in the last frame, (targets, 1, channels,
            cells), where the members keep them; else None.
    """

    def __init__(
        self, members: Sequence[Frame], log: Optional[Callable[[str], None]] = None
    ) -> None:
        first = members[0]
        self.device, self.engine = first.device, first.engine
        self._members, self._log = list(members), log or (lambda sentence: None)
        self._stream = self.engine.stream
        self._handle = self.device.handle(self._stream)
        self._count, self._submitted = len(self._members), 0
        self._batch: Any = None
        self._slot: Any = None
        keep = any(member.seen is not None for member in members)
        self.seen: Any = self.engine.room_for_features(self._count) if keep else None
        self.uses_graph = all(member.uses_graph for member in members)
        self._kernels = FrameKernels(
            self.device, first.kernels.settings, self.engine, targets=self._count
        )
        try:
            self._gather()
        except HotpathError:
            self.close()
            raise

    def _gather(self) -> None:
        """Bring all members' targets together."""
        windows = self._kernels.windows
        self.engine.reserve(self._count * windows, self._count)
        self._slot = Slot(self.device, 0, self._count)
        for number, member in enumerate(self._members):
            member.join(self, self._kernels.memory.place(number))
        if windows == 1 or self.engine.search_features_device is None:
            regions = [m.features for m in self._members for _ in range(windows)]
            self._batch = self.engine.batch_device(regions)
        self.batched = self._batch is not None
        self._aim()

    def update(
        self, frame: frames.AnyFrame, placed: Mapping[int, Sequence[float]] = NOWHERE
    ) -> List[Union[Found, HotpathError]]:
        """Find every target in the next frame.

        Args:
            frame: see ``kernels.cuda.frames``. If its size has changed, the targets are scaled.
            placed: member's index -> [cx, cy, w, h], pixels of this frame, of targets that were
                found elsewhere (see ``Frame.place``).

        Returns:
            What each member found; NetworkFailed in the place of one whose maps hold nothing.

        Raises:
            GpuFailed: the GPU refused, or a kernel failed.
        """
        is_new_size = frames.size_of(frame) != self._members[0].size
        if is_new_size:
            for member in self._members:
                member.rescale(frame)
        for index, state in placed.items():
            self._members[index].place(frame, state)
        if placed or is_new_size:
            self._aim()
        slot = self._slot
        slot.fit(self.device, frames.capacity(frame))
        try:
            self._send(frame)
        except HotpathError:  # a part of the frame may be in flight
            self.device.synchronise(self._stream)
            raise
        self.device.synchronise(slot.done)
        self._submitted += 1
        if self.uses_graph and slot.graph is None:  # libraries have set themselves up by now
            self._capture()
        return [self._taken(member, row) for member, row in zip(self._members, slot.poses)]

    def _send(self, frame: frames.AnyFrame) -> None:
        slot = self._slot
        part = frames.part_of(self._covered(), *self._members[0].size)
        used = frames.pack(frame, part, slot.staging, slot.upload_at, self._submitted)
        self.device.upload(slot.upload_at, slot.staging[:used], self._stream)
        if slot.graph is not None:
            slot.graph.launch(self._handle)
            self.device.counters.add(slot.captured)
        else:
            self._enqueue()
        self.device.record(slot.done, self._stream)

    @staticmethod
    def _taken(member: Frame, row: Any) -> Union[Found, HotpathError]:
        try:
            return member.accept(row)
        except HotpathError as error:
            return error

    def close(self) -> None:
        """Let the members go on alone, and free the memory."""
        for member in self._members:
            member.leave(self)
        if self._slot is not None:
            self._slot.close(self.device)
        if self._batch is not None:
            self._batch.close()
        self._batch = self._slot = None
        self._kernels.close()

    def _enqueue(self) -> None:
        """Enqueue a frame's steps, after its upload."""
        kernels, slot = self._kernels, self._slot
        kernels.crop(slot.upload_at, exemplar=False)
        if self._batch is not None:
            self._batch.run(self._handle)
        else:
            self._search_each()
        kernels.select(slot.upload_at)
        self.device.download(slot.result, kernels.pose, self._stream)
        if self.seen is not None:
            self.engine.download_features(self.seen)

    def _search_each(self) -> None:
        """Enqueue the network for each window of each target."""
        windows = self._kernels.windows
        for number, member in enumerate(self._members):
            for window in range(windows):
                place = number * windows + window
                self.engine.search_device(self._handle, member.features, place)

    def _capture(self) -> None:
        try:
            self._slot.capture(self.device, self._handle, self._enqueue)
        except (graphs.NoGraph, HotpathError) as error:
            self.uses_graph = False
            self._slot.drop_graph()
            self._log(f"frames are launched step by step: {error}")

    def _aim(self) -> None:
        """Plan the next crops, and learn which part of a frame they cover."""
        self._kernels.aim(exemplar=False)
        self.device.download(self._slot.result, self._kernels.pose, self._stream)
        self.device.synchronise(self._stream)

    def _covered(self) -> Tuple[int, int, int, int]:
        """What the next windows of all targets cover together: (x, y, w, h)."""
        poses = self._slot.poses
        left, top = int(poses["x"].min()), int(poses["y"].min())
        right = int((poses["x"] + poses["width"]).max())
        bottom = int((poses["y"] + poses["height"]).max())
        return left, top, right - left, bottom - top
