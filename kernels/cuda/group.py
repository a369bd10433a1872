"""The frames of several targets at once: one upload, one crop, one select, one download.

Each target keeps its own ``Frame``. While they are a group, what the device keeps of them lies one
after the other, so that a launch finds it. The network is one call where the engine has it for so
many search regions, and else a call for each.
"""

from typing import Any, Callable, List, Mapping, Optional, Sequence, Union

from kernels.cuda import frames
from kernels.cuda.frame import Found, Frame
from kernels.cuda.steps import Slot, Steps
from kernels.errors import HotpathError

NOWHERE: Mapping[int, Sequence[float]] = {}  # no target was found elsewhere


class Group(Steps):
    """Targets of one network that take every frame together.

    Args:
        members: their ``Frame``s, of one engine; each has a target, and no frame in flight.
        log: called with one sentence if frames can't be launched as a graph.

    Raises:
        GpuFailed: out of memory. The frames can be used as before.

    Attributes:
        seen: features of each target's search region in the last frame, (targets, 1, channels,
            cells), where the members keep them; else None.
    """

    def __init__(
        self, members: Sequence[Frame], log: Optional[Callable[[str], None]] = None
    ) -> None:
        first = members[0]
        self._members, self._count = list(members), len(members)
        super().__init__(
            first.device, first.kernels.settings, first.engine, targets=self._count, log=log
        )
        self.uses_graph = all(member.uses_graph for member in members)
        if any(member.seen is not None for member in members):
            self.seen = self.engine.room_for_features(self._count)
        try:
            self._gather()
        except HotpathError:
            self.close()
            raise

    def _gather(self) -> None:
        """Bring all members' targets together."""
        self.engine.reserve(self._count)
        self._slots = [Slot(self.device, targets=self._count)]
        for number, member in enumerate(self._members):
            member.join(self, self.kernels.memory.place(number))
        self._regions = [member.features for member in self._members]
        self.batch = self.engine.batch_device(self._regions)
        self._aim(self._slots[0])

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
        slot = self._slots[0]
        if placed or is_new_size:
            self._aim(slot)
        slot.fit(frame)
        self._send(slot, frame, frames.part_of(slot.covered(), *self._members[0].size))
        self.device.synchronise(slot.done)
        self._capture()  # libraries have set themselves up by now
        return [self._taken(member, row) for member, row in zip(self._members, slot.poses)]

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
        self._free()
