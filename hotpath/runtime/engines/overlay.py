"""Run a network on an FPGA board: crop and network are one program of the overlay.

A bundle has one image of memory (region 0: programs, weights, tables), the layout of that image,
and a picture with its known answer. Each target has its own memory (region 1: the exemplar's
features, the maps).
"""

import pathlib
import zlib
from typing import TYPE_CHECKING, Any, List, Tuple

from hotpath.base import json_forms
from hotpath.base.errors import FabricFailed
from hotpath.base.messages import PYNQ, make_command
from hotpath.base.toml_keys import FileName, Key, Table
from hotpath.runtime.engines.base import Engine, Setup
from hotpath.runtime.errors import BadBundle
from hotpath.runtime.networks.bundle import Bundle

if TYPE_CHECKING:
    import numpy as np

    from hotpath.kernels.cpu.interface import CpuKernels
    from hotpath.kernels.fpga.fabric import Fabric, SharedBuffer

COMMAND_ALIGNED = 64
WORD = 16  # channels of a block of a map, as in hotpath.kernels.fpga.fabric

WHOLE = Key(int, low=0)
MOST_EXPONENT = 64
ENTRY = {
    **dict.fromkeys(("offset", "channels", "height", "width"), WHOLE),
    "lane": Key(int, default=0, low=0),
}
SEEN = dict(ENTRY, exponent=Key(int, default=0, low=-MOST_EXPONENT, high=MOST_EXPONENT))
RUN = {
    "image": Key(FileName),
    "work_bytes": WHOLE,
    "programs": dict.fromkeys(
        ("exemplar", "search"), dict.fromkeys(("offset", "side", "cycles"), WHOLE)
    ),
    "maps": [dict(ENTRY, values=(Key(float),) * 256)],
    "answer": {"picture": Key(FileName), "checksum": Key(int)},
}
SETTINGS = {
    "size": {
        **dict.fromkeys(
            ("lanes", "bus_bytes", "crop_lanes", "map_words", "weight_tiles", "line_bytes"), WHOLE
        ),
        "assumed_clock_mhz": Key(float, low=0, nonzero=True),
    }
}


class OverlayEngine(Engine):
    """Runs a bundle on the overlay of an FPGA board. The overlay also crops.

    The constructor runs the bundle's known answer once.

    Attributes:
        exemplar_crop, search_crop: ``hotpath.kernels.fpga.fabric_window.Crop``.

    Raises:
        NoEngine, BundleMismatch, BadBundle: see ``hotpath.runtime.errors``.
        BadOverlay, FabricFailed: see ``hotpath.base.errors``.
    """

    name = "overlay"
    bundle: "Bundle"
    fabric: "Fabric"
    title = "FPGA"
    libraries = ("pynq",)
    install = "write PYNQ's image for this board to the SD card (pynq.io)"

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        from hotpath.kernels import cpu
        from hotpath.kernels.fpga.fabric import Fabric

        bundle = self.bundle = self.bundle_of(setup)
        bundle.check_library("overlay", layout())
        run = bundle.run
        size = bundle.settings["size"]
        self._programs, self._work_bytes = run["programs"], run["work_bytes"]
        self._sides = [self._programs[part]["side"] for part in ("exemplar", "search")]
        maps = [(1, e["channels"], e["height"], e["width"]) for e in run["maps"]]
        bundle.check_shapes(setup.network, self._sides, maps)
        path = pathlib.Path(str(setup.overlay or overlay_of(bundle)))
        self.fabric = Fabric(path, size["assumed_clock_mhz"], setup.device)
        try:
            self._prepare(size, cpu.load())
            self._check_answer()
        except BaseException:
            self.fabric.close()
            raise

    def _prepare(self, size: Table, kernels: "CpuKernels") -> None:
        """Check the fabric's size, load the image and set up the crops and the maps."""
        from hotpath.kernels.fpga.fabric_window import Crop, WindowPictures
        from hotpath.kernels.fpga.words import Maps, values_of

        self._check_size(size)
        bundle, run = self.bundle, self.bundle.run
        self._file = bundle.path(run["image"])
        self._image: Any = self.fabric.allocate(bundle.parts[run["image"]]["bytes"])
        self.fabric.check_place(self._image.address, 0, COMMAND_ALIGNED)
        self._load_image()
        pictures = WindowPictures(self.fabric, max(self._sides), size["line_bytes"], kernels)
        self.exemplar_crop, self.search_crop = (Crop(pictures, side) for side in self._sides)
        entries, seen = list(run["maps"]), run.get("seen")
        if seen:
            entries.append(dict(seen, values=values_of(seen.get("exponent", 0))))
        self._maps = Maps(entries, kernels)
        self._shown = self._maps.arrays
        if seen:
            *shown, features = self._maps.arrays
            self._shown = tuple(shown)
            self.search_features = features.reshape(1, seen["channels"], -1)

    @classmethod
    def check_bundle(cls, run: Table, settings: Table) -> List[str]:
        json_forms.check_json(run, RUN, "run")
        json_forms.check_json(settings, SETTINGS, "settings")
        if run.get("seen"):
            json_forms.check_json(run["seen"], SEEN, "run.seen")
        for entry in filter(None, [*run["maps"], run.get("seen")]):
            if _ends(entry) > run["work_bytes"]:
                raise ValueError("a map lies beyond the memory of a target")
        return [run["image"], run["answer"]["picture"]]

    def _check_size(self, size: Table) -> None:
        """Compare the fabric's size with the size that the programs need."""
        from hotpath.kernels.fpga import tables

        built, here = tables.size_register(size), self.fabric.read("SIZE")
        if built != here:
            self.bundle.mismatch(
                "an overlay with", tables.spell_size(built), tables.spell_size(here)
            )

    def _load_image(self) -> None:
        """Copy region 0 into memory, and compare it afterwards.

        Raises:
            BadBundle: the memory has other contents.
        """
        data = self._file.read_bytes()
        self._count, self._checksum = len(data), zlib.crc32(data)
        self._image.array[: len(data)] = bytearray(data)
        self._image.flush()
        if not self.is_image_whole():
            raise BadBundle(
                f"{self._file}: the fabric's memory does not keep what was written into it; power "
                "the board off and on"
            )

    def is_image_whole(self) -> bool:
        """Whether memory still holds the programs and weights as they were loaded."""
        self._image.invalidate()
        return zlib.crc32(self._image.array[: self._count].tobytes()) == self._checksum

    def answers(self, turns: int = 1, flush: bool = True) -> int:
        """Run the picture with the known answer.

        Args:
            turns: number of runs. If there are several, the fabric gets another picture before
                each, so that the memory must change.
            flush: False leaves the picture in the processor's cache.

        Returns:
            The number of runs with the known answer.
        """
        import numpy as np

        from hotpath.kernels.fpga import answer

        expected, side = self.bundle.run["answer"], self._sides[1]
        data = self.bundle.path(expected["picture"]).read_bytes()
        picture = np.frombuffer(data, np.uint8).reshape(side, side, 3)
        exemplar, search = answer.windows(*self._sides)
        self.exemplar_crop.take(picture, exemplar, answer.BORDER)
        (work,) = features = self.exemplar()
        right = 0
        for _ in range(turns):
            if turns > 1:
                self.search_crop.take(255 - picture, search, answer.BORDER)
                self.search(features)
            self.search_crop.take(picture, search, answer.BORDER, flush)
            self.search(features)
            right += answer.checksum(self._maps.words(work)) == expected["checksum"]
        return right

    def _check_answer(self) -> None:
        """Refuse a fabric that does not compute the bundle's known answer."""
        if not self.answers():
            raise FabricFailed(
                "the fabric gives another result for the bundle's picture than the network has, so "
                f"nothing is tracked; run `{PYNQ} boards bringup` to see whether it always does, "
                f"then build the overlay and the bundle again with `{make_command('overlay')}` and "
                f"`{self.bundle.command}`"
            )

    def exemplar(self) -> Tuple["SharedBuffer", ...]:
        """Run the network on the exemplar; returns memory of the target that has its features.

        Raises:
            FabricFailed: the program ended with an error, or the weights in memory have changed.
        """
        if not self.is_image_whole():
            self._load_image()
            raise FabricFailed(
                "the weights in the fabric's memory were altered since they were loaded; they "
                "are loaded again, so try again"
            )
        work = self.fabric.allocate(self._work_bytes)
        self._run("exemplar", work, self.exemplar_crop.registers)
        return (work,)

    def search(self, features: Tuple["SharedBuffer", ...]) -> "Tuple[np.ndarray, ...]":
        (work,) = features
        self._run("search", work, self.search_crop.registers)
        work.invalidate()
        self._maps.read(work)
        return self._shown

    def _run(self, part: str, work: "SharedBuffer", window: Tuple[int, ...]) -> None:
        """Run a part's program with a target's memory; ``window``: registers of ``Crop``."""
        program = self._programs[part]
        image = self._image.address
        places = image + program["offset"], image, work.address
        self.fabric.start(places + window, program["cycles"])
        self.fabric.finish(lambda number: self._described(part, number))

    def _described(self, name: str, number: int) -> str:
        """Describe a command for an error message."""
        from hotpath.kernels.fpga import tables

        first = self._programs[name]["offset"] + number * tables.COMMAND_BYTES
        command = self._image.array[first : first + tables.COMMAND_BYTES].tobytes()
        try:
            kind = tables.unpack(command)[0]
        except tables.BadCommandTable:
            kind = "none"
        return f"{number} ({kind}) of the {name} program"

    def describe(self) -> Table:
        """Return a dict: engine, version of PYNQ, precision, device, overlay."""
        return {
            "engine": self.name,
            "version": self.fabric.pynq.version,
            "precision": self.bundle.precision,
            "device": f"{self.bundle.board}, {self.fabric.clock_mhz:g} MHz",
            "overlay": str(self.fabric.path),
        }

    def close(self) -> None:
        """Leave the fabric idle, and release its memory."""
        self.fabric.close()
        self._image = self.exemplar_crop = self.search_crop = None


ENGINE = OverlayEngine


def layout() -> str:
    """Return this checkout's version of the layout of registers and commands."""
    from hotpath.kernels.fpga import tables

    return f"{tables.MAGIC:08X}"


def _ends(entry: Table) -> int:
    """Return the end of a map in a target's memory."""
    blocks = -(-(entry.get("lane", 0) + entry["channels"]) // WORD)
    end: int = entry["offset"] + blocks * entry["height"] * entry["width"] * WORD
    return end


def overlay_of(bundle: Bundle) -> pathlib.Path:
    """Return the path of the overlay of a bundle's board, beside the bundles of that board."""
    return bundle.folder.parent / "overlay" / "hotpath.bit"
