"""The engine of FPGA boards, through PYNQ's own library on a simulated board."""

import numpy as np
import pytest

pytest.importorskip("pynq")

import pynq

import hotpath_fpga as design
from fpga_tests import fpga_bundle as bright
from hotpath.base.errors import FabricFailed
from hotpath.kernels import cpu, golden
from hotpath.kernels.cpu import interface
from hotpath.kernels.fpga import fabric, tables
from hotpath.runtime import loading
from hotpath.runtime.devices.fpga import FpgaDevice
from hotpath.runtime.networks import bundle
from hotpath_fpga import model
from hotpath_fpga.sim import device as simulation

BOARDS = ("pynq_z2", "kv260")
BLACK = (0, 0, 0)


@pytest.fixture
def engine(tmp_path):
    return bright.opened(tmp_path)[1]


def tracker_on(engine, frame, box):
    """A tracker of one target on an engine."""
    tracker = loading.tracker_on(loading.create_device(engine.network, engine, cpu.load()))
    tracker.init(frame, box)
    return tracker


def picture(engine, frame, window, border):
    """The exemplar's picture as the fabric crops it: (8, 8, 3) uint8."""
    engine.exemplar_crop.take(frame, window, border)
    fetched = engine.exemplar_crop.registers[3]  # bytes of a row
    assert fetched <= engine.bundle.settings["size"]["line_bytes"]
    (work,) = engine.exemplar()
    work.invalidate()
    words = work.array[: bright.EXEMPLAR**2 * 16].reshape(bright.EXEMPLAR, bright.EXEMPLAR, 16)
    assert not words[..., 3:].any()
    return (words[..., :3].view(np.int8).astype(int) + 128).astype(np.uint8)


def random_frame(seed, height=48, width=64):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("board", BOARDS)
def test_a_tracker_follows_its_target_and_allocates_nothing(tmp_path, monkeypatch, board):
    device, engine = bright.opened(tmp_path, board)
    about = engine.describe()
    assert about["engine"] == "overlay" and about["precision"] == "int8"
    assert about["version"] == pynq.__version__ and board in about["device"]
    frames, boxes = bright.film()
    tracker = tracker_on(engine, frames[0], boxes[0])
    assert isinstance(tracker.device, FpgaDevice)
    for frame, box in zip(frames[1:], boxes[1:]):
        track = tracker.update(frame)
        monkeypatch.setattr(device, "allocate", None)  # in the fabric's memory
        assert np.allclose(track.box, box, atol=3.5), (track.box, box)
    assert track.score > 0.9
    assert all(tracker.step_ms[name] > 0 for name in ("crop", "network", "select"))
    engine.close()


WINDOWS = (
    *((10, 8, 20, 20), (0, 0, 8, 8), (3, 3, 8, 8), (-5, -7, 30, 30), (50, 40, 30, 30)),
    *((20, 10, 1, 1), (-40, -40, 20, 20), (200, 10, 20, 20), (-100, -100, 300, 300)),
    *((5, 6, 33, 7), (63, 47, 2, 2)),
)


@pytest.mark.parametrize(
    "frame, windows",
    [
        (random_frame(1), WINDOWS),
        (random_frame(2, 96, 128)[::2, ::-2], [(-3, 4, 30, 31)]),
        # the processor crops what the fabric can't: long rows, and many
        (random_frame(3, 32, 2770), [(-3, -2, 2776, 40)]),
        (random_frame(3, 40000, 8), [(-3, -2, 16, 39990)]),
    ],
    ids=["plain", "strides", "long rows", "many rows"],
)
def test_a_picture_is_what_golden_crops(engine, frame, windows):
    border = (7, 100, 250)
    for window in windows:
        wanted = golden.crop(frame, window, bright.EXEMPLAR, border)
        assert np.array_equal(picture(engine, frame, window, border), wanted)


class Unhurried(model.NumpyMachine):
    """A machine that stays busy for some reads of STATUS, as a board does."""

    looks = 0

    def run(self, limit=None):
        self.looks = 6 if self._started else 0
        return False

    def read(self, offset):
        if offset == tables.REGISTERS["STATUS"] and self.looks:
            self.looks -= 1
            if self.looks == 0:
                super().run()
        return super().read(offset)


def test_a_programs_end_is_waited_for(tmp_path, monkeypatch):
    frames, boxes = bright.film(4)
    results = []
    for kind in (model.NumpyMachine, Unhurried):
        monkeypatch.setattr(model, "NumpyMachine", kind)
        device, engine = bright.opened(tmp_path)
        assert type(device.machine) is kind
        tracker = tracker_on(engine, frames[0], boxes[0])
        results.append([tracker.update(frame) for frame in frames[1:]])
    assert results[0] == results[1] and device.machine.looks == 0


def test_a_forgotten_flush_of_the_weights_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(fabric.SharedBuffer, "flush", lambda self: None)
    with pytest.raises(bundle.BadBundle, match="what was written"):
        bright.opened(tmp_path)


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("faster", [1.0, 1.07, 1.6])
def test_the_clock_is_never_above_what_the_overlay_was_built_for(tmp_path, board, faster):
    made = bright.write_bundle(tmp_path, board)
    device, overlay = simulation.open_board(board, "model")
    for address, value in list(device._others.items()):
        low = 12 if device.family == "zynq" else 8
        if value >> low << low == value:  # a PLL's multiplier alone
            device._others[address] = round((value >> low) * faster) << low
    engine = loading.open_setup(loading.Setup(bundle=made, device=device, overlay=overlay))
    limit = design.sizes()[board]["assumed_clock_mhz"]
    assert 0.5 * limit < pynq.Clocks.fclk0_mhz <= limit * fabric.CLOCK_MARGIN
    assert engine.fabric.clock_mhz == pynq.Clocks.fclk0_mhz


def test_without_a_compiler_it_finds_the_same(tmp_path, monkeypatch):
    frames, boxes = bright.film(5)
    wide = random_frame(10, 48, 3000)
    results = []
    for kernels in (cpu.load(), interface.CpuKernels()):
        monkeypatch.setattr(cpu, "load", lambda log=None, kernels=kernels: kernels)
        _, engine = bright.opened(tmp_path)
        tracker = tracker_on(engine, frames[0], boxes[0])
        tracks = [tracker.update(frame) for frame in frames[1:]]
        windows = (0, 0, 2990, 40), (-9, 3, 60, 60), (90, 1, 300, 300), (-99, 0, 9, 9)
        pictures = [picture(engine, wide, one, (1, 2, 3)).tobytes() for one in windows]
        results.append((tracks, pictures))
    assert results[0] == results[1]


# -- the known answer


def open_on(tmp_path, device, overlay):
    """The hand-written bundle on that board."""
    return loading.open_setup(
        loading.Setup(bundle=bright.write_bundle(tmp_path), device=device, overlay=overlay)
    )


class WrongWeight(model.NumpyMachine):
    """A fabric in which one bit of a weight is wrong."""

    def _take(self, address, count):
        taken = super()._take(address, count)
        if count == bright.TILE:
            taken = taken.copy()
            taken[1] ^= 2
        return taken


def test_a_wrong_weight_in_the_fabric_is_found_before_tracking(tmp_path):
    device, bit = simulation.open_board("pynq_z2", "model")
    open_on(tmp_path, device, bit)
    device.machine = WrongWeight(design.sizes()["pynq_z2"])
    with pytest.raises(FabricFailed, match="another result"):
        open_on(tmp_path, device, bit)


@pytest.mark.parametrize("way", ["flush", "invalidate"])
def test_a_stale_cache_is_found_before_anything_is_tracked(tmp_path, way):
    """Only the weights arrive, or are read back: they have a check of their own."""
    device, bit = simulation.open_board("pynq_z2", "model")
    real = getattr(device, way)

    def stale(memory, *given):
        if device.allocated == 1:
            real(memory, *given)

    allocate = device.allocate
    device.allocated = 0

    def counted(*given, **more):
        device.allocated += 1
        return allocate(*given, **more)

    device.allocate = counted
    setattr(device, way, stale)
    with pytest.raises(FabricFailed, match="another result"):
        open_on(tmp_path, device, bit)


def test_only_flushed_pictures_give_the_known_answer_each_time(engine):
    assert engine.answers(5) == 5
    assert engine.answers(5, flush=False) == 0  # the simulated cache writes nothing back
    assert engine.answers(1) == 1


class Mapped(np.ndarray):
    """Registers as memory of this process: words that the board behind them sees."""

    def __array_finalize__(self, other):
        self.read, self.write = getattr(other, "read", None), getattr(other, "write", None)

    def __getitem__(self, index):
        if isinstance(index, slice):  # of PYNQ's clocks
            return np.array([self.read(one) for one in range(len(self))[index]], np.uint32)
        return np.uint32(self.read(index))

    def __setitem__(self, index, value):
        self.write(index, int(value))


def test_registers_mapped_into_the_process_are_used_there(tmp_path):
    frames, boxes = bright.film(4)
    tracks, passed = [], []
    for is_mapped in (False, True):
        device, bit = simulation.open_board("pynq_z2", "model")

        def mapped(base, length, device=device):
            words = np.zeros(length // 4, np.uint32).view(Mapped)
            words.read = lambda index: device._read(base + 4 * index)
            words.write = lambda index, value: (
                passed.append(value) or device._write(base + 4 * index, value)
            )
            return words

        if is_mapped:
            device.capabilities, device.mmap = {"MEMORY_MAPPED": True}, mapped
        tracker = tracker_on(open_on(tmp_path, device, bit), frames[0], boxes[0])
        tracks.append([tracker.update(frame) for frame in frames[1:]])
    assert tracks[0] == tracks[1]
    assert passed.count(tables.START) == 2 + len(frames)  # with the known answer
