"""What the GPU keeps of one target from frame to frame, or of several, one after the other."""

from typing import Any, Mapping, Optional

import numpy as np


class TargetMemory:
    """Device memory of targets: an array of each kind, with a place for each target.

    Args:
        device: see ``kernels.cuda.device``.
        sizes: dict of kind -> bytes of one target.
        targets: how many there is room for.
        at: dict of kind -> address, of memory that belongs to somebody else; None to allocate it.

    Raises:
        GpuFailed: out of memory.
    """

    def __init__(
        self,
        device: Any,
        sizes: Mapping[str, int],
        targets: int = 1,
        at: Optional[Mapping[str, int]] = None,
    ) -> None:
        self._device, self._sizes, self._owned = device, dict(sizes), at is None
        self._at = dict(at or {})
        if at is not None:
            return
        try:
            for kind, size in self._sizes.items():
                self._at[kind] = device.alloc(size * targets)
        except Exception:
            self.close()
            raise

    def address(self, kind: str) -> int:
        """Address of the first target's; 0 for a kind that there is none of."""
        return self._at.get(kind, 0)

    def place(self, target: int) -> "TargetMemory":
        """The memory of one of the targets. It is valid until this memory is closed."""
        at = {kind: at + target * self._sizes[kind] for kind, at in self._at.items()}
        return TargetMemory(self._device, self._sizes, at=at)

    def copy_to(self, other: "TargetMemory", stream: Any) -> None:
        """Copy the first target's memory to that of ``other``. It waits for the stream."""
        if not self._sizes:
            return
        device, parts, used = self._device, [], 0
        staging = device.pinned(sum(self._sizes.values()))
        for kind, size in self._sizes.items():
            parts.append((kind, staging[used : used + size]))
            used += size
        for kind, part in parts:
            device.download(part, self._at[kind], stream)
        device.synchronise(stream)
        for kind, part in parts:
            device.upload(other._at[kind], part, stream)
        device.synchronise(stream)

    def close(self) -> None:
        """Free the memory, where it is this object's own."""
        if self._owned:
            for address in self._at.values():
                self._device.free(address)
        self._at = {}


def upload_record(device: Any, address: int, record: np.ndarray, stream: Any) -> None:
    """Upload an array to the device, and wait until it is there."""
    staging = device.pinned(record.nbytes)
    staging[:] = record.view(np.uint8).ravel()
    device.upload(address, staging, stream)
    device.synchronise(stream)
