"""Bringup runs the known answer of an FPGA's bundle a hundred times."""

import types

import numpy as np
import pytest

pytest.importorskip("pynq")

from fpga_tests import fpga_bundle as bright
from hotpath.deploy.doctor.bringup import steps
from hotpath.kernels.fpga import tables
from hotpath_fpga import model


def told_of(engine):
    """What the step says of an engine."""
    return steps.answer(
        types.SimpleNamespace(need_engine=lambda: types.SimpleNamespace(engine=engine))
    )


class Sometimes(model.NumpyMachine):
    """A fabric whose search gives something else every ninth time."""

    turns = 0

    def run(self, limit=None):
        self.turns += 1
        idle = super().run(limit)
        if self.turns % 9 == 0:
            start = self.read(tables.REGISTERS["REGION1"]) - model.BASE + bright.SCORE_AT
            self.memory[start] = np.uint8(self.memory[start] ^ 1)
        return idle


def test_it_counts_the_runs_with_a_flush_and_without(tmp_path):
    _, engine = bright.opened(tmp_path)
    assert told_of(engine).startswith("100 of 100 runs gave the known answer, 0 without a flush")


def test_results_that_change_from_run_to_run_fail_it(tmp_path):
    device, engine = bright.opened(tmp_path)
    flawed = Sometimes(engine.bundle.settings["size"])
    flawed.memory, flawed._registers = device.machine.memory, device.machine._registers
    device.machine = flawed
    with pytest.raises(steps.StepFailed, match="of 100 runs") as caught:
        told_of(engine)
    assert "assumed_clock_mhz" in caught.value.advice


def test_other_boards_skip_it():
    with pytest.raises(steps.Skip, match="no FPGA"):
        told_of(types.SimpleNamespace(fabric=None))
