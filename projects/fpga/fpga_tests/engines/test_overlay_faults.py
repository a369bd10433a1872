"""A fault on an FPGA board gives one sentence; the board stays usable."""

import contextlib
import json
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("pynq")

import hotpath_fpga as design
from fpga_tests import fpga_bundle as bright
from hotpath.kernels import cpu
from hotpath.kernels.fpga import fabric, tables
from hotpath.runtime import loading
from hotpath.runtime.engines import overlay
from hotpath.runtime.networks import bundle
from hotpath_fpga import model
from hotpath_fpga.sim import build, hwh
from hotpath_fpga.sim import device as simulation

FRAMES, BOXES = bright.film(4)


class Flawed(model.NumpyMachine):
    """A machine with a ``fault``: of its memory, its commands, or a program that never ends."""

    fault = None

    def _take(self, address, count):
        if self.fault == "READ" and count != tables.COMMAND_BYTES:
            raise model.Fault("READ")
        taken = super()._take(address, count)
        return np.zeros_like(taken) if self.fault == "COMMAND" else taken

    def _place(self, address, count, fault):
        if self.fault == fault == "WRITE":
            raise model.Fault("WRITE")
        return super()._place(address, count, fault)

    def write(self, offset, value):
        if self.fault == "dead" and offset == tables.REGISTERS["CONTROL"] and value & tables.STOP:
            return
        super().write(offset, value)

    def run(self, limit=None):
        return False if self.fault in ("hang", "dead") else super().run(limit)

    def reset(self):
        """Loading the overlay again ends a fault."""
        self.fault = None


@pytest.fixture
def board(tmp_path):
    """(made bundle, device, .bit) of a board whose machine may have faults."""
    made = bright.write_bundle(tmp_path)
    device, bit = simulation.open_board("pynq_z2", "model")
    device.machine = Flawed(design.sizes()["pynq_z2"])
    return made, device, bit


@pytest.fixture
def opening(board):
    """Function that opens a bundle on that board: by default the one that was made for it."""
    made, device, bit = board
    return lambda one=made, **more: loading.open_setup(
        loading.Setup(bundle=one, device=device, **{"overlay": bit, **more})
    )


@pytest.fixture
def engine(opening):
    return opening()


@contextlib.contextmanager
def refused(kind, *texts):
    """Check that the block fails with one sentence that contains the texts."""
    with pytest.raises(kind) as caught:
        yield
    messages = str(caught.value)
    assert "\n" not in messages and all(text in messages for text in texts), messages


def begun(engine):
    """A tracker that has its target."""
    tracker = loading.tracker_on(loading.create_device(engine.network, engine, cpu.load()))
    tracker.init(FRAMES[0], BOXES[0])
    return tracker


def tracked(engine):
    """Track a short film and return the boxes: this shows that the board is usable."""
    tracker = begun(engine)
    boxes = [tracker.update(frame).box for frame in FRAMES[1:]]
    assert np.allclose(boxes, BOXES[1:], atol=3.5)
    return boxes


@pytest.mark.parametrize(
    "fault, text, named",
    [
        ("READ", "memory answered a read with an error", "command 0 (LOAD) of the search program"),
        ("WRITE", "memory answered a write with an error", "(STORE) of the search program"),
        ("COMMAND", "not a command that the accelerator knows", "command 0 (LOAD) of the search"),
    ],
)
def test_an_error_of_the_fabric_names_its_command(board, engine, fault, text, named):
    machine, wanted = board[1].machine, tracked(engine)
    tracker = begun(engine)
    machine.fault = fault
    with refused(fabric.FabricFailed, text, named, "ready again"):
        tracker.update(FRAMES[1])
    machine.fault = None
    assert tracker.update(FRAMES[1]).box == wanted[0]  # the same target goes on
    assert tracked(engine) == wanted


@pytest.mark.parametrize(
    "fault, downloads, texts", [("hang", 1, ["10,000 cycles", "it was stopped"]), ("dead", 2, [])]
)
def test_an_endless_program_is_stopped_by_loading_the_overlay(
    board, engine, fault, downloads, texts
):
    assert fabric.MOST_S + fabric.STOP_S < 1.0
    device, wanted = board[1], tracked(engine)
    device.machine.fault = fault
    with refused(fabric.FabricFailed, "did not finish", *texts):
        tracked(engine)
    device.machine.fault = None
    assert tracked(engine) == wanted and device.downloads == downloads


def test_a_program_that_is_interrupted_is_stopped(board, engine, monkeypatch):
    machine, wanted = board[1].machine, tracked(engine)
    tracker = begun(engine)
    machine.fault = "hang"

    def interrupted(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(fabric.time, "sleep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tracker.update(FRAMES[1])
    assert not machine.read(tables.REGISTERS["STATUS"]) & tables.IS_BUSY
    monkeypatch.undo()
    machine.fault = None
    assert tracker.update(FRAMES[1]).box == wanted[0] and board[1].downloads == 1


def test_weights_altered_in_memory_are_noticed_and_loaded_again(board, engine):
    device, wanted = board[1], tracked(engine)
    place = engine._image.address - model.BASE + bright.WEIGHTS_AT
    device.machine.memory[place] ^= 0x40
    with refused(fabric.FabricFailed, "weights in the fabric's memory were altered", "try again"):
        tracked(engine)
    assert tracked(engine) == wanted


@pytest.mark.parametrize(
    "fault, text",
    [
        ("read", "memory answered a read with an error"),
        ("hang", "did not finish"),
        ("write", "memory answered a write with an error"),
    ],
)
def test_the_rtl_is_usable_after_a_fault_of_its_memory(tmp_path, fault, text):
    if build.missing():
        pytest.skip(build.missing())
    device, engine = bright.opened(tmp_path, kind="rtl")
    device.cycles = 30000  # a program that takes longer counts as endless
    wanted = tracked(engine)
    tracker = begun(engine)
    real = device.download
    device.download = lambda *given: device.machine.fault(None) or real(*given)  # which ends it
    device.machine.fault(fault)
    with refused(fabric.FabricFailed, text):
        tracker.update(FRAMES[1])
    device.machine.fault(None)
    assert tracker.update(FRAMES[1]).box == wanted[0]
    assert tracked(engine) == wanted


def run_with(place, value):
    """The run table with another value."""
    run = bright.run_table()
    run[place[0]][place[1]][place[2]] = value
    return {"run": run}


OTHER_SIZE = dict(design.sizes()["pynq_z2"], lanes=2, map_words=8192)


@pytest.mark.parametrize(
    "changes, downloads, texts",
    [
        ({"settings": {"size": OTHER_SIZE}}, 1, ["1 lanes", "2 lanes", "engine BOARD=pynq_z2"]),
        (run_with(("maps", 0, "height"), 8), 0, ["built for maps of bright"]),
        (run_with(("programs", "search", "side"), 8), 0, ["for pictures of bright 8 and 8 pixels"]),
        ({"libraries": {"overlay": "48505430"}}, 0, ["overlay 48505430", "48505433"]),
    ],
)
def test_a_bundle_that_does_not_fit(board, opening, tmp_path, changes, downloads, texts):
    other = bright.write_bundle(tmp_path / "other", **changes)
    with refused(bundle.BundleMismatch, "make engine BOARD=", *texts):
        opening(other)
    assert board[1].downloads == downloads
    tracked(opening())


def test_an_overlay_of_another_layout(board, opening):
    board[1].machine._registers["ID"] = 0x48505430
    with refused(fabric.BadOverlay, "0x48505430", "0x48505433", "make overlay"):
        opening()


@pytest.mark.parametrize(
    "refusal", [PermissionError(13, "Permission denied"), OSError("Root permissions required.")]
)
def test_who_is_not_root_is_told_how_to_start(board, opening, refusal):
    def refuse(*given):
        raise refusal

    real, board[1].download = board[1].download, refuse
    with refused(fabric.NoFabric, "as root", "sudo python3 -m hotpath boards pynq"):
        opening()
    board[1].download = real
    tracked(opening())


@pytest.mark.parametrize("suffix", [".bit", ".hwh"])
def test_a_missing_overlay(board, opening, suffix):
    path = board[2].with_suffix(suffix)
    data = path.read_bytes()
    path.unlink()
    with refused(fabric.BadOverlay, "there is no overlay", suffix, "make overlay BOARD="):
        opening()
    path.write_bytes(data)
    tracked(opening())


def test_the_overlay_of_a_bundle_lies_among_those_of_its_board(board, opening):
    place = board[0].folder.parent / "overlay" / "hotpath.bit"
    assert overlay.overlay_of(board[0]) == place
    with refused(fabric.BadOverlay, str(place), "make overlay BOARD=pynq_z2"):
        opening(overlay=None)


@pytest.mark.parametrize(
    "spoil, texts",
    [
        (
            lambda text: text.replace('"engine"', '"other"').replace('"/engine"', '"/other"'),
            ["none of this project's overlays", "other"],
        ),
        (lambda text: "<EDKSYSTEM>", ["can't be loaded", "make overlay"]),
    ],
    ids=["another's", "none"],
)
def test_an_overlay_that_is_none_of_ours(board, opening, spoil, texts):
    path = board[2].with_suffix(".hwh")
    path.write_text(spoil(path.read_text()))
    with refused(fabric.BadOverlay, *texts):
        opening()


def test_a_bundle_whose_entries_are_not_what_they_should_be(board):
    made = board[0]
    values = json.loads((made.folder / "bundle.json").read_text())
    for spoil in (
        lambda v: v["run"]["programs"].pop("search"),
        lambda v: v["run"].update(image="other.bin"),
        lambda v: v["run"]["maps"][0].pop("offset"),
        lambda v: v["run"]["maps"][0]["values"].pop(),
        lambda v: v["run"]["maps"][0].update(values=["1"] * 256),
        lambda v: v["run"]["maps"][0].update(lane=1 << 20),  # beyond the target's memory
        lambda v: v["run"]["maps"][1].update(offset=-16),
        lambda v: v["run"].update(work_bytes=v["run"]["work_bytes"] - 1),
        lambda v: v["settings"].pop("size"),
        lambda v: v["settings"]["size"].update(lanes="1"),
        lambda v: v["settings"]["size"].update(assumed_clock_mhz=0),
    ):
        changed = json.loads(json.dumps(values))
        spoil(changed)
        changed["sha256"] = bundle.entries_sha256(changed)
        (made.folder / "bundle.json").write_text(json.dumps(changed))
        with refused(bundle.BadBundle, "is not as it was written", "make engine"):
            loading.open_setup(loading.Setup(bundle=bundle.Bundle(made.folder)))


@pytest.mark.parametrize(
    ("moved", "texts"),
    [
        (4, ["not aligned to 16 bytes"]),
        (1 << 32, ["beyond the 4 GB", "cma="]),
        (None, ["no 8192 bytes of memory", "CMA"]),
    ],
)
def test_memory_that_the_fabric_cannot_use(board, opening, monkeypatch, moved, texts):
    real = board[1].allocate

    def allocate(*arguments, **options):
        if moved is None:
            raise RuntimeError("Allocate failed: -1")
        buffer = real(*arguments, **options)
        buffer.device_address += moved
        return buffer

    monkeypatch.setattr(board[1], "allocate", allocate)
    with refused(fabric.FabricFailed, *texts):
        opening()
    monkeypatch.undo()
    tracked(opening())


NO_PYNQ = "sys.modules['pynq'] = None"
SIMULATE = "device.open_board('pynq_z2', 'model')"
OPEN = "loading.open_setup(loading.Setup(bundle=bundle.Bundle(sys.argv[1])))"


@pytest.mark.parametrize(
    "before, call, texts",
    [
        ("", OPEN, ["NoFabric: PYNQ finds no FPGA here", "hotpath_fpga.track"]),
        (NO_PYNQ, OPEN, ["NoFabric: PYNQ", "can't be loaded", "make fpga"]),
        (NO_PYNQ, SIMULATE, ["NoSimulation: ", "PYNQ's library", "make fpga"]),
    ],
)
def test_a_computer_without_a_board_or_without_the_library(tmp_path, before, call, texts):
    made = bright.write_bundle(tmp_path)
    (tmp_path / "pynq_z2" / "overlay").mkdir()
    hwh.write(tmp_path / "pynq_z2" / "overlay", "hotpath", "xc7z020clg400-1", 100)
    code = f"""import sys
{before}
from hotpath_fpga.sim import device
from hotpath.runtime import loading
from hotpath.runtime.networks import bundle
try:
    {call}
except Exception as error:
    print(type(error).__name__, error, sep=": ")
"""
    command = [sys.executable, "-W", "ignore", "-c", code, str(made.folder)]
    told = subprocess.check_output(command, timeout=60, universal_newlines=True).splitlines()[-1]
    assert told.startswith(texts[0]) and all(text in told for text in texts), told


def test_a_simulation_without_a_compiler_names_the_way_out(monkeypatch, tmp_path):
    monkeypatch.setenv("VERILATOR_ROOT", str(tmp_path))
    with refused(simulation.NoSimulation, "can't be compiled", "--rtl"):
        simulation.open_board("pynq_z2", "rtl")
