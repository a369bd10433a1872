"""The executor of FPGA boards: crop and network as one program of the overlay's engine.

A bundle holds one picture of memory (region 0: programs, weights, tables) and says what lies where
in it; each target has memory of its own (region 1: the exemplar's features, the maps).
"""

import pathlib
import zlib

import numpy as np

from kernels.fpga import native, tables
from kernels.fpga.fabric import WORD, Fabric, FabricFailed
from kernels.fpga.likeness import Seen
from kernels.fpga.window import Crop, Pictures
from runtime.bundle import BadBundle
from runtime.engines import tensorrt_manifest

COMMAND_ALIGNED = 64
LAYOUT = "{:08X}".format(tables.MAGIC)  # of registers and commands; a bundle says which it is for

# what a bundle's tables have as whole numbers
SIZE = (
    "lanes", "bus_bytes", "crop_lanes", "map_words", "weight_tiles", "line_bytes",
    "assumed_clock_mhz",
)  # fmt: skip
PROGRAM = ("offset", "side", "cycles")
ENTRY = ("offset", "channels", "height", "width")


class Engine:
    """A network in fabric; interface as ``runtime.engines`` says, but for the crops.

    Args:
        network: the ``Network``.
        bundle: ``runtime.bundle.Bundle`` for an FPGA board, its parts checked.
        device: PYNQ's; None for the one that is there.
        overlay: path of the .bit; None for ``overlay_of(bundle)``.

    Attributes:
        exemplar_crop, search_crop: ``kernels.fpga.window.Crop``.
        seen: ``kernels.fpga.likeness.Seen``, or None.

    Raises:
        NoEngine, BadOverlay, BundleMismatch, BadBundle, FabricFailed: see there.
    """

    def __init__(self, network, bundle, device=None, overlay=None):
        from kernels import cpu

        bundle.check_library("overlay", LAYOUT)
        misfit = tensorrt_manifest.misfit(_shapes(bundle.run), network)
        if misfit is not None:
            bundle.mismatch(*misfit)
        self.network, self.bundle = network, bundle
        run, size = bundle.run, bundle.settings["size"]
        self._programs, self._work_bytes = run["programs"], run["work_bytes"]
        path = pathlib.Path(str(overlay or overlay_of(bundle)))
        self.fabric = Fabric(path, size["assumed_clock_mhz"], device)
        self._check_size(size)
        self._file = bundle.path(run["image"])
        self._image = self.fabric.allocate(bundle.parts[run["image"]]["bytes"])
        self.fabric.check_place(self._image.address, 0, COMMAND_ALIGNED)
        self._load_image()
        side = max(program["side"] for program in self._programs.values())
        kernels = cpu.load()
        pictures = Pictures(self.fabric, side, size["line_bytes"], kernels)
        self._resize = pictures.resize
        self.exemplar_crop = Crop(pictures, self._programs["exemplar"]["side"])
        self.search_crop = Crop(pictures, self._programs["search"]["side"])
        self._maps, self._read = _reader(run["maps"], kernels)
        self._seen = run.get("seen")
        self.seen = self._seen and Seen(self._seen["channels"], self._seen["height"])

    def _check_size(self, size):
        """Compare what the fabric says of itself with what the programs were made for."""
        built, here = tables.size_register(size), self.fabric.read("SIZE")
        if built != here:
            self.bundle.mismatch("an overlay with", tables.spelled(built), tables.spelled(here))

    def _load_image(self):
        """Copy region 0 into memory, and see that it is there.

        Raises:
            BadBundle: what memory holds is something else.
        """
        data = np.fromfile(str(self._file), np.uint8)
        self._count, self._checksum = data.size, zlib.crc32(data.tobytes())
        self._image.array[: data.size] = data
        self._image.flush()
        if not self.is_image_whole():
            raise BadBundle(
                "{}: the fabric's memory does not keep what was written into it; power the board "
                "off and on".format(self._file)
            )

    def is_image_whole(self):
        """Whether memory still holds the programs and weights as they were loaded."""
        self._image.invalidate()
        return zlib.crc32(self._image.array[: self._count].tobytes()) == self._checksum

    def exemplar(self):
        """Features of the picture shown through ``exemplar_crop``: memory of one target."""
        if not self.is_image_whole():
            self._load_image()
            raise FabricFailed(
                "the weights in the fabric's memory were altered since they were loaded; they "
                "are loaded again, so try again"
            )
        work = self.fabric.allocate(self._work_bytes)
        self._run("exemplar", work)
        return (work,)

    def search(self, features):
        """Maps of the picture shown through ``search_crop``, for one target's features."""
        (work,) = features
        self._run("search", work)
        work.invalidate()
        self._read(work)
        if self._seen:
            first = self._seen["offset"]
            self.seen.lie_in(work.array[first:], work.host + first)
        return self._maps

    def _run(self, name, work):
        fabric, program = self.fabric, self._programs[name]
        fabric.write("REGION0", self._image.address)
        fabric.write("REGION1", work.address)
        fabric.write("REGION2", self._resize.address)
        address = self._image.address + program["offset"]
        fabric.run(address, program["cycles"], lambda number: self._described(name, number))

    def _described(self, name, number):
        """A command for an error's sentence."""
        first = self._programs[name]["offset"] + number * tables.COMMAND_BYTES
        command = self._image.array[first : first + tables.COMMAND_BYTES].tobytes()
        try:
            kind = tables.unpack(command)[0]
        except tables.BadTable:
            kind = "none"
        return "{} ({}) of the {} program".format(number, kind, name)

    def describe(self):
        """What runs where; see ``runtime.engines``."""
        return {
            "engine": "overlay",
            "version": self.fabric.pynq.version,
            "precision": self.bundle.precision,
            "device": "{}, {:g} MHz".format(self.bundle.board, self.fabric.clock_mhz),
            "overlay": str(self.fabric.path),
        }

    def counters(self):
        """Of the last program: dict of cycles, busy (of the array), beats read and written."""
        names = ("CYCLES", "BUSY", "READ", "WRITTEN")
        return {name.lower(): self.fabric.read(name) for name in names}

    def close(self):
        """Leave the engine idle, and give its memory back."""
        self.fabric.close()
        self._image = self._resize = self.exemplar_crop = self.search_crop = None


def _reader(entries, kernels):
    """(maps, function that reads them from a target's ``Buffer``).

    Args:
        entries: ``run["maps"]``: offset, channels, height, width, lane, values of each.
        kernels: see ``kernels.cpu``.
    """
    values = [np.array(entry["values"], np.float32) for entry in entries]
    maps = [np.zeros((1, e["channels"], e["height"], e["width"]), np.float32) for e in entries]
    if kernels.handle:
        read = native.Maps(kernels, entries, values, maps).read
        return tuple(maps), lambda work: read(work.host)

    def slowly(work):
        for entry, table, out in zip(entries, values, maps):
            lanes = np.arange(out.shape[1]) + entry.get("lane", 0)
            count = -(-(lanes[-1] + 1) // WORD) * out[0, 0].size * WORD
            words = work.array[entry["offset"] : entry["offset"] + count]
            words = words.reshape((-1,) + out.shape[2:] + (WORD,))
            out[0] = table[words[lanes // WORD, :, :, lanes % WORD]]

    return tuple(maps), slowly


def is_whole(run, settings):
    """Whether a bundle's entries have their types and fit together; see ``runtime.bundle``."""
    programs, entries, size = run.get("programs"), run.get("maps"), settings.get("size")
    if not all(isinstance(table, dict) for table in (programs, size)):
        return False
    if not isinstance(entries, list) or not isinstance(run.get("image"), str):
        return False
    entries = entries + ([run["seen"]] if run.get("seen") else [])
    programs = [programs.get("exemplar"), programs.get("search")]
    if not all(isinstance(table, dict) for table in entries + programs):
        return False
    numbers = [run.get("work_bytes")] + [size.get(key) for key in SIZE]
    numbers += [program.get(key) for program in programs for key in PROGRAM]
    numbers += [entry.get(key) for entry in entries for key in ENTRY]
    numbers += [entry.get("lane", 0) for entry in entries]
    if not all(isinstance(number, int) and number >= 0 for number in numbers):
        return False
    return all(_ends(entry) <= run["work_bytes"] for entry in entries) and all(
        _are_values(entry.get("values")) for entry in run["maps"]
    )


def _ends(entry):
    """Where a map ends in a target's memory."""
    blocks = -(-(entry.get("lane", 0) + entry["channels"]) // WORD)
    return entry["offset"] + blocks * entry["height"] * entry["width"] * WORD


def _are_values(values):
    if not isinstance(values, list) or len(values) != 256:
        return False
    return all(isinstance(value, (int, float)) for value in values)


def _shapes(run):
    """Pictures and maps as ``runtime.engines.tensorrt_manifest`` has them."""
    shapes = {
        name: [1, 3] + 2 * [run["programs"][name]["side"]] for name in tensorrt_manifest.PICTURES
    }
    maps = [str(index) for index in range(len(run["maps"]))]
    for name, entry in zip(maps, run["maps"]):
        shapes[name] = [1, entry["channels"], entry["height"], entry["width"]]
    return {"shapes": shapes, "maps": maps}


def overlay_of(bundle):
    """Where the overlay of a bundle's board is: among the bundles of that board."""
    return bundle.folder.parent / "overlay" / "hotpath.bit"
