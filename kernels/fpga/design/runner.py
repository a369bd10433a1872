"""Runs a compiled network on a machine without a driver, a window at a time."""

from typing import Any, Dict, List, Optional, Sequence

import numpy as np

from kernels.fpga import resize, tables
from kernels.fpga.design.model import BASE

IMAGE, RESIZE, WORK, FRAME = 1 << 20, 12 << 20, 16 << 20, 32 << 20  # offsets in memory
MEMORY = 64 << 20  # bytes that a machine needs


class Runner:
    """A compiled network in a machine's memory.

    Args:
        compiled: ``compiler.Compiled``.
        machine: ``model.Machine`` or ``sim.rtl.Rtl`` of its size, with ``MEMORY`` bytes.
    """

    def __init__(self, compiled: Any, machine: Any) -> None:
        self.run, self.machine = compiled.run, machine
        image = np.frombuffer(compiled.image, np.uint8)
        machine.memory[IMAGE : IMAGE + image.size] = image
        self._each = -(-self.run["work_bytes"] // 4096) * 4096

    def look(
        self,
        part: str,
        frame: np.ndarray,
        window: Sequence[int],
        border: Sequence[int],
        target: int = 0,
        limit: Optional[int] = None,
    ) -> int:
        """Run a part's program on a window of a frame.

        Args:
            part: "exemplar" or "search".
            frame: BGR uint8 (H, W, 3).
            window: (x, y, w, h), ints.
            border: 3 uint8 values.
            target: each has features and maps of its own.
            limit: of cycles.

        Returns:
            STATUS.
        """
        program, memory = self.run["programs"][part], self.machine.memory
        height, width = frame.shape[:2]
        memory[FRAME : FRAME + frame.size] = frame.reshape(-1)
        made = memory[RESIZE : RESIZE + program["resize"]["bytes"]]
        fetch = resize.tables_for(width, height, window, program["side"], made)
        blue, green, red = (int(value) for value in border)
        values = {
            "PROGRAM": BASE + IMAGE + program["offset"],
            "REGION0": BASE + IMAGE,
            "REGION1": BASE + WORK + target * self._each,
            "REGION2": BASE + RESIZE,
            "FRAME": BASE + FRAME + (fetch.y0 * width + fetch.x0) * 3,
            "STRIDE": 3 * width,
            "LINE": 3 * fetch.columns,
            "BORDER": blue | green << 8 | red << 16,
            "CONTROL": tables.START,
        }
        for name, value in values.items():
            self.machine.write(tables.REGISTERS[name], value)
        self.machine.run(limit)
        return self.read("STATUS")

    def read(self, name: str) -> int:
        """Read a register."""
        return self.machine.read(tables.REGISTERS[name])

    def work(self, target: int = 0) -> np.ndarray:
        """Memory of a target, which holds its features and maps: uint8."""
        start = WORK + target * self._each
        return self.machine.memory[start : start + self.run["work_bytes"]]

    def map(self, entry: Dict[str, Any], target: int = 0) -> np.ndarray:
        """Whole numbers of a map as ``run`` tells of it: (channels, height, width) int8."""
        height, width, channels = entry["height"], entry["width"], entry["channels"]
        blocks = -(-(entry["lane"] + channels) // 16)
        start = entry["offset"]
        data = self.work(target)[start : start + blocks * height * width * 16].view(np.int8)
        data = data.reshape(blocks, height, width, 16).transpose(0, 3, 1, 2)
        lanes = data.reshape(blocks * 16, height, width)
        return lanes[entry["lane"] : entry["lane"] + channels].copy()

    def maps(self, target: int = 0) -> List[np.ndarray]:
        """The network's outputs, list of float32 (1, channels, height, width)."""
        return [
            np.array(entry["values"], np.float32)[self.map(entry, target).view(np.uint8)][None]
            for entry in self.run["maps"]
        ]
