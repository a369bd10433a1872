"""The engine of FPGA boards: crop and network as one program of the overlay.

A bundle holds one image of memory (region 0: programs, weights, tables) and says what lies where in
it. Each target has memory of its own (region 1: the exemplar's features, the maps).
"""

import pathlib
import zlib
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Tuple

from runtime.bundle import Bundle
from runtime.engines.base import Engine as Base
from runtime.engines.base import Setup
from runtime.errors import BadBundle

if TYPE_CHECKING:
    import numpy as np

    from kernels.cpu.interface import Kernels
    from kernels.fpga.fabric import Buffer
    from kernels.fpga.frame import Frames
    from kernels.fpga.native import Maps
    from kernels.fpga.next_frame import NextFrame

COMMAND_ALIGNED = 64
WORD = 16  # channels of a block of a map, as in kernels.fpga.fabric

# entries of a bundle's tables that are whole numbers
SIZE = ("lanes", "bus_bytes", "crop_lanes", "map_words", "weight_tiles", "line_bytes")
PROGRAM = ("offset", "side", "cycles")
ENTRY = ("offset", "channels", "height", "width")
MOST_EXPONENT = 64


class Engine(Base):
    """See ``runtime.engines.base.Engine``; the overlay crops too.

    Attributes:
        exemplar_crop, search_crop: ``kernels.fpga.window.Crop``.
        search_features: ``kernels.fpga.features.SearchFeatures``, or None.
        features_offset: where these lie in a target's memory.
        maps: float32 arrays, which every search overwrites.
        map_jobs: ``kernels.fpga.native.Maps``, which reads them; None without compiled kernels.
        queue: of ``runtime.devices.fpga_queue``, where several frames are in flight; else None.

    Raises:
        NoEngine, BadOverlay, BundleMismatch, BadBundle, FabricFailed: see there.
    """

    name = "overlay"
    title = "FPGA"
    libraries = ("pynq",)
    pipelines = True
    queue: Any = None
    install = "write PYNQ's image for this board to the SD card (pynq.io)"

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        from kernels import cpu
        from kernels.fpga.fabric import Fabric

        bundle = self.bundle = self.bundle_of(setup)
        bundle.check_library("overlay", layout())
        run, size = bundle.run, bundle.settings["size"]
        self._programs, self._work_bytes = run["programs"], run["work_bytes"]
        self._search_cycles = self._programs["search"]["cycles"]
        sides = [self._programs[name]["side"] for name in ("exemplar", "search")]
        maps = [(1, e["channels"], e["height"], e["width"]) for e in run["maps"]]
        bundle.check_shapes(setup.network, sides, maps)
        path = pathlib.Path(str(setup.overlay or overlay_of(bundle)))
        kernels = cpu.load()
        self.fabric = Fabric(path, size["assumed_clock_mhz"], setup.device, kernels)
        try:
            self._prepare(size, sides, kernels)
        except Exception:
            self.fabric.close()
            raise

    def _prepare(self, size: Dict[str, Any], sides: List[int], kernels: "Kernels") -> None:
        """Check the fabric's size, load the image and set up the crops and the maps."""
        from kernels.fpga.features import SearchFeatures
        from kernels.fpga.window import Crop, Pictures

        self._check_size(size)
        bundle, run = self.bundle, self.bundle.run
        self._file = bundle.path(run["image"])
        self._image = self.fabric.allocate(bundle.parts[run["image"]]["bytes"])
        self.fabric.check_place(self._image.address, 0, COMMAND_ALIGNED)
        self._load_image()
        pictures = Pictures(self.fabric, max(sides), size["line_bytes"], kernels)
        self.exemplar_crop, self.search_crop = (Crop(pictures, side) for side in sides)
        self.maps, self.map_jobs, self._read = _reader(run["maps"], kernels)
        seen = run.get("seen")
        if seen:
            self.features_offset = seen["offset"]
            step = 2.0 ** seen.get("exponent", 0)
            self.search_features = SearchFeatures(seen["channels"], seen["height"], step)

    @classmethod
    def check_bundle(cls, run: Dict[str, Any], settings: Dict[str, Any]) -> List[str]:
        """See ``runtime.engines.base.Engine``."""
        if not _is_whole(run, settings):
            raise ValueError("its programs and maps do not fit together")
        return [run["image"]]

    def _check_size(self, size: Dict[str, Any]) -> None:
        """Compare the fabric's size with the one that the programs were made for."""
        from kernels.fpga import tables

        built, here = tables.size_register(size), self.fabric.read("SIZE")
        if built != here:
            self.bundle.mismatch("an overlay with", tables.spelled(built), tables.spelled(here))

    def _load_image(self) -> None:
        """Copy region 0 into memory, and check that it arrived.

        Raises:
            BadBundle: what memory holds is something else.
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

    def exemplar(self) -> Tuple["Buffer", ...]:
        """See ``runtime.engines.base.Engine``; the features are memory of one target."""
        from kernels.errors import FabricFailed

        if not self.is_image_whole():
            self._load_image()
            raise FabricFailed(
                "the weights in the fabric's memory were altered since they were loaded; they "
                "are loaded again, so try again"
            )
        work = self.fabric.allocate(self._work_bytes)
        self._start("exemplar", work, self.exemplar_crop.pictures.registers)
        self._wait("exemplar")
        return (work,)

    def search(self, features: Tuple["Buffer", ...]) -> "Tuple[np.ndarray, ...]":
        """See ``runtime.engines.base.Searcher``."""
        self.start(features, self.search_crop.pictures.registers)
        return self.finish()

    def start(self, features: Tuple["Buffer", ...], registers: Tuple[int, ...]) -> None:
        """Start a search and return at once. No other may be running.

        Args:
            features: of the target.
            registers: of the window, as ``search_crop.pictures.registers`` has them.
        """
        (self._work,) = features
        self._start("search", self._work, registers)

    def start_prepared(self, features: Tuple["Buffer", ...], frames: "Frames") -> None:
        """As ``start``, with a window that ``kernels.fpga.frame.Frames`` prepared."""
        (self._work,) = features
        self.fabric.start_prepared(frames.registers_at, frames.registers, self._search_cycles)

    def hand_on(self, work: "Buffer", following: "NextFrame") -> bool:
        """Select in a search's results, and start the target's next search where it is prepared.

        Args:
            work: what ``wait`` returned.
            following: ``kernels.fpga.next_frame.NextFrame``.

        Returns:
            Whether the next search runs.
        """
        return bool(following.hand_on(work.host, self._search_cycles))

    def places(self, features: Tuple["Buffer", ...]) -> Tuple[int, int, int]:
        """Addresses for the fabric: the search's first command, region 0, and region 1."""
        image = self._image.address
        return image + self._programs["search"]["offset"], image, features[0].address

    def wait(self) -> "Buffer":
        """Wait for the search that ``start`` began; returns the target's ``Buffer``."""
        work = self._work
        self._wait("search")
        work.invalidate()
        return work

    def finish(self) -> "Tuple[np.ndarray, ...]":
        """Wait for the search that ``start`` began; returns its maps, as ``search``."""
        work = self.wait()
        self._read(work)
        if self.search_features is not None:
            first = self.features_offset
            self.search_features.lie_in(work.array[first:], work.host + first)
        return self.maps

    def _start(self, name: str, work: "Buffer", registers: Tuple[int, ...]) -> None:
        program, image = self._programs[name], self._image.address
        places = image + program["offset"], image, work.address
        self.fabric.start(places + registers, program["cycles"])

    def _wait(self, name: str) -> None:
        self.fabric.finish(lambda number: self._described(name, number))

    def _described(self, name: str, number: int) -> str:
        """The text of a command for an error message."""
        from kernels.fpga import tables

        first = self._programs[name]["offset"] + number * tables.COMMAND_BYTES
        command = self._image.array[first : first + tables.COMMAND_BYTES].tobytes()
        try:
            kind = tables.unpack(command)[0]
        except tables.BadTable:
            kind = "none"
        return f"{number} ({kind}) of the {name} program"

    def describe(self) -> Dict[str, Any]:
        """What runs where: engine, version of PYNQ, precision, device, overlay."""
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


def layout() -> str:
    """Layout of registers and commands that this checkout knows; a bundle says which it is for."""
    from kernels.fpga import tables

    return f"{tables.MAGIC:08X}"


def _reader(
    entries: List[Dict[str, Any]], kernels: "Kernels"
) -> "Tuple[Tuple[np.ndarray, ...], Optional[Maps], Callable[[Buffer], None]]":
    """(maps, ``native.Maps`` or None, function that reads them from a target's ``Buffer``).

    Args:
        entries: ``run["maps"]``: offset, channels, height, width, lane, values of each.
        kernels: see ``kernels.cpu``.
    """
    import numpy as np

    from kernels.fpga import native

    values = [np.array(entry["values"], np.float32) for entry in entries]
    maps = [np.zeros((1, e["channels"], e["height"], e["width"]), np.float32) for e in entries]
    if kernels.handle:
        jobs = native.Maps(kernels, entries, values, maps)
        return tuple(maps), jobs, lambda work: jobs.read(work.host)

    def slowly(work: "Buffer") -> None:
        for entry, table, out in zip(entries, values, maps):
            lanes = np.arange(out.shape[1]) + entry.get("lane", 0)
            count = -(-(lanes[-1] + 1) // WORD) * out[0, 0].size * WORD
            words = work.array[entry["offset"] : entry["offset"] + count]
            words = words.reshape((-1,) + out.shape[2:] + (WORD,))
            out[0] = table[words[lanes // WORD, :, :, lanes % WORD]]

    return tuple(maps), None, slowly


def _is_whole(run: Dict[str, Any], settings: Dict[str, Any]) -> bool:
    """Whether a bundle's entries have their types and fit together; see ``runtime.bundle``."""
    try:
        maps, size, seen = run["maps"], settings["size"], run.get("seen") or {}
        entries = maps + ([seen] if seen else [])
        numbers = [run["work_bytes"]] + [size[key] for key in SIZE]
        numbers += [
            run["programs"][name][key] for name in ("exemplar", "search") for key in PROGRAM
        ]
        numbers += [entry[key] for entry in entries for key in ENTRY]
        numbers += [entry.get("lane", 0) for entry in entries]
        exponent, clock_mhz = seen.get("exponent", 0), size["assumed_clock_mhz"]
        values = [value for entry in maps for value in entry["values"]]
        return (
            isinstance(run["image"], str)
            and all(isinstance(number, int) and number >= 0 for number in numbers)
            and isinstance(exponent, int)
            and abs(exponent) <= MOST_EXPONENT
            and all(isinstance(value, (int, float)) for value in [clock_mhz, *values])
            and clock_mhz > 0
            and all(len(entry["values"]) == 256 for entry in maps)
            and all(_ends(entry) <= run["work_bytes"] for entry in entries)
        )
    except (AttributeError, KeyError, TypeError):
        return False


def _ends(entry: Dict[str, Any]) -> int:
    """Where a map ends in a target's memory."""
    blocks = -(-(entry.get("lane", 0) + entry["channels"]) // WORD)
    end: int = entry["offset"] + blocks * entry["height"] * entry["width"] * WORD
    return end


def overlay_of(bundle: Bundle) -> pathlib.Path:
    """The path of the overlay of a bundle's board: it lies among the bundles of that board."""
    return bundle.folder.parent / "overlay" / "hotpath.bit"
