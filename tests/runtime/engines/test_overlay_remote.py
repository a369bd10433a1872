"""The FPGA executor on a board behind a network, through PYNQ.remote's own unchanged client."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("pynq", reason="PYNQ's library is missing: make fpga")
pytest.importorskip("grpc", reason="grpcio is missing: make fpga")

from kernels import cpu
from kernels.fpga import design, fabric
from kernels.fpga.design.sim import device as simulation
from kernels.fpga.design.sim import hwh
from runtime import loading
from tests.conftest import ROOT
from tests.support import fpga_bundle as bright


def _forget():
    """Delete what PYNQ's client knows of an overlay. It stores that beside its own files."""
    import pynq.pl_server

    folder = pathlib.Path(pynq.pl_server.__file__).parent
    for name in ("global_pl_state_.json", "_current_metadata.pkl"):
        (folder / name).unlink(missing_ok=True)
    simulation.forget_clocks()


@pytest.fixture(params=["pynq_z2", "kv260"])
def opened(request, tmp_path, monkeypatch):
    """(bundle, PYNQ's device) of a board behind a network; each access is a gRPC call."""
    from pynq.pl_server.device import Device
    from pynq.pl_server.remote_device import RemoteBuffer, RemoteDevice

    if hasattr(np.ndarray, "device"):
        RemoteBuffer.device = None  # NumPy 2's arrays have one, which PYNQ 4.0 can't set
    name = request.param
    made = bright.write_bundle(tmp_path, name)
    folder = tmp_path / name / "overlay"
    folder.mkdir()
    part = design.parts()[name]["part"]
    bit = hwh.write(folder, "hotpath", part, design.sizes()[name]["assumed_clock_mhz"])
    command = [sys.executable, "-W", "ignore", "-m", "tests.fakes.pynq.server", name, str(bit)]
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    _forget()
    with subprocess.Popen(command, cwd=str(ROOT), **streams) as server:
        device = RemoteDevice(0, "127.0.0.1", int(server.stdout.readline()))
        monkeypatch.setattr(Device, "_active_device", device, raising=False)
        yield made, device
    _forget()


def test_it_gives_what_the_simulated_board_in_this_process_gives(opened):
    made, device = opened
    frames, boxes = bright.film(6)
    found = []
    for board in ((device, None), simulation.open_board(made.board, "model")):
        engine = loading.open_bundle(made, device=board[0], overlay=board[1])
        assert engine.fabric.device is board[0]
        tracker = loading.create_tracker(engine.network, engine, cpu.load())
        tracker.init(frames[0], boxes[0])
        tracks = [tracker.update(frame) for frame in frames[1:]]
        tracker.device.features[0].invalidate()
        features = tracker.device.features[0].array[: engine.bundle.run["work_bytes"]].tobytes()
        found.append((tracks, features, engine.fabric.read("CYCLES")))
    assert type(device).__name__ == "RemoteDevice" and found[0] == found[1]


def test_an_error_at_the_other_end_is_one_sentence_and_the_board_goes_on(opened):
    made, device = opened
    engine = loading.open_bundle(made, device=device)
    tracker = loading.create_tracker(engine.network, engine, cpu.load())
    frames, boxes = bright.film(3)
    real = engine._programs["search"]["offset"]
    engine._programs["search"]["offset"] = bright.WEIGHTS_AT  # no commands there
    tracker.init(frames[0], boxes[0])
    with pytest.raises(fabric.FabricFailed, match="no command that the accelerator knows"):
        tracker.update(frames[1])
    engine._programs["search"]["offset"] = real
    tracker.init(frames[0], boxes[0])
    assert np.allclose(tracker.update(frames[1]).box, boxes[1], atol=3.5)
