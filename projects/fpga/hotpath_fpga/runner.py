"""Runs a compiled network on a machine without a driver, a window at a time; its known answer."""

from typing import Any, Dict, Optional, Sequence, Tuple

import numpy as np

from hotpath.kernels.fpga import answer, resize, tables
from hotpath_fpga.model import BASE, NumpyMachine

IMAGE, RESIZE, WORK, FRAME = 1 << 20, 12 << 20, 16 << 20, 32 << 20  # offsets in memory
MEMORY = 64 << 20  # bytes that a machine needs


class FpgaRunner:
    """A compiled network in a machine's memory.

    Args:
        compiled: ``compiler.Compiled``.
        machine: ``model.NumpyMachine`` or ``sim.rtl.Rtl`` of its size, with ``MEMORY`` bytes.
    """

    def __init__(self, compiled: Any, machine: Any) -> None:
        self.run, self.machine = compiled.run, machine
        image = np.frombuffer(compiled.image, np.uint8)
        machine.memory[IMAGE : IMAGE + image.size] = image

    def look(
        self,
        part: str,
        frame: np.ndarray,
        window: Sequence[int],
        border: Sequence[int],
        limit: Optional[int] = None,
    ) -> int:
        """Run a part's program on a window of a frame.

        Args:
            part: "exemplar" or "search".
            frame: BGR uint8 (H, W, 3).
            window: (x, y, w, h), ints.
            border: 3 uint8 values.
            limit: most cycles.

        Returns:
            STATUS.
        """
        program = self.run["programs"][part]
        memory = self.machine.memory
        height, width = frame.shape[:2]
        memory[FRAME : FRAME + frame.size] = frame.reshape(-1)
        resize_tables = memory[RESIZE : RESIZE + resize.bytes_of(program["side"])[1]]
        fetch = resize.tables_for(width, height, window, program["side"], resize_tables)
        blue, green, red = (int(value) for value in border)
        values = {
            "PROGRAM": BASE + IMAGE + program["offset"],
            "REGION0": BASE + IMAGE,
            "REGION1": BASE + WORK,
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

    def work(self) -> np.ndarray:
        """The target's memory, which holds its features and maps: uint8."""
        return self.machine.memory[WORK : WORK + self.run["work_bytes"]]

    def map(self, entry: Dict[str, Any]) -> np.ndarray:
        """Whole numbers of a map as ``run`` tells of it: (channels, height, width) int8."""
        height, width, channels = entry["height"], entry["width"], entry["channels"]
        blocks = -(-(entry.get("lane", 0) + channels) // 16)
        start = entry["offset"]
        data = self.work()[start : start + blocks * height * width * 16].view(np.int8)
        data = data.reshape(blocks, height, width, 16).transpose(0, 3, 1, 2)
        lanes = data.reshape(blocks * 16, height, width)
        return lanes[entry.get("lane", 0) : entry.get("lane", 0) + channels].copy()


def known_answer(compiled: Any, size: tables.Size) -> Tuple[bytes, int]:
    """Return a picture and the checksum of the model's result for it
    (``hotpath.kernels.fpga.answer``).

    Args:
        compiled: has ``image`` and ``run``.
        size: the size for which it was compiled.

    Returns:
        (BGR uint8 of the search region's size, ``answer.checksum`` of maps and features).
    """
    runner = FpgaRunner(compiled, NumpyMachine(size, MEMORY))
    run = compiled.run
    sides = [run["programs"][part]["side"] for part in ("exemplar", "search")]
    rng = np.random.RandomState(0)
    side = sides[1]
    coarse = rng.randint(0, 256, (side // 8 + 1, side // 8 + 1, 3))  # areas and noise
    picture = coarse.repeat(8, axis=0).repeat(8, axis=1)[:side, :side]
    picture = np.clip(picture + rng.randint(-20, 21, picture.shape), 0, 255).astype(np.uint8)
    for part, window in zip(("exemplar", "search"), answer.windows(*sides)):
        if runner.look(part, picture, window, answer.BORDER) != tables.IS_DONE:
            raise RuntimeError(f"the {part} program does not end")
    entries = run["maps"] + ([run["seen"]] if run["seen"] else [])
    return picture.tobytes(), answer.checksum(runner.map(entry) for entry in entries)
