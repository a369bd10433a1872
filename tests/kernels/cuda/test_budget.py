"""The kernels cost no more than budget.toml allows, on every Jetson's GPU and in every frame."""

import pathlib

import numpy as np
import pytest

from kernels.cuda import compile as compiler
from tests.fakes.cuda import build, nvrtc
from tests.fakes.cuda.networks import network
from tests.fakes.cuda.ptx import Machine
from tests.fakes.cuda.ptx_latency import Latency
from tests.fakes.cuda.turn import Turn
from tests.kernels.cuda import test_families
from tests.kernels.cuda.test_loss_monitor import random_maps

budget = pytest.importorskip("tests.kernels.cuda.budget")  # needs a reader of TOML
PAGE = pathlib.Path(build.ROOT, "docs", "results", "gpu-kernels.md")


@pytest.fixture(scope="module")
def table():
    return budget.read_table()


SLOW = pytest.mark.slow("the same kernels; `make compilers` gets the CUDAs before and after")
COMPILED = [(cuda, number) for cuda, numbers in budget.MATRIX.items() for number in numbers]
FIRST = [("", 53), ("", 87)]


@pytest.mark.parametrize(
    "cuda, capability",
    FIRST + [pytest.param(*each, marks=SLOW) for each in COMPILED if each not in FIRST],
)
@pytest.mark.parametrize("name", budget.SOURCES)
def test_kernels_stay_within_their_budget(table, name, cuda, capability):
    resources = budget.resources_of(cuda, name, capability)
    assert sorted(resources) == sorted(build.kernel_names(compiler.source(name)))
    page = PAGE.read_text()
    column = COMPILED.index((cuda, capability))
    for kernel, used in resources.items():
        assert used.memory == 0, (kernel, used)
        assert used.registers <= table["kernel"][kernel]["registers"], (kernel, used)
        row = page.split(f"| `{kernel}` |")[1].split("\n")[0].split(" | ")
        assert int(row[column]) == used.registers, f"run {page.split('`')[1]}"
    counted = {} if cuda else budget.count_ptx(nvrtc.ptx(cuda, name, capability))
    for kernel, counts in counted.items():
        limits = table["kernel"][kernel]
        assert counts.doubles <= limits["doubles"], (kernel, counts)
        assert counts.loads <= limits["loads"], (kernel, counts)
        assert counts.instructions <= limits.get("instructions", counts.instructions), kernel


def test_the_budget_names_every_kernel(table):
    names = [name for each in budget.SOURCES for name in build.kernel_names(compiler.source(each))]
    assert sorted(table["kernel"]) == sorted(names)


def test_instructions_of_a_known_kernel_are_counted(tmp_path):
    path = tmp_path / "known.cu"
    path.write_text(
        """extern "C" __global__ void known(double* a, const float* b) {
             a[0] = a[1] / a[2] + a[3] * 2.0;
             if (a[4] < a[5]) a[6] = b[0];
           }"""
    )
    counts = budget.count_ptx(nvrtc.ptx("", str(path), 87))["known"]
    # a division, a product, a sum, a comparison, a conversion; a[1] to a[5] and b[0]
    assert counts.doubles == 5 and counts.loads == 6


def machine(board, capability, family):
    """Runs the kernels of a family's frame, and estimates their time on a board."""
    return Machine(
        *(nvrtc.ptx("", name, capability) for name in ("aim", family)), latency=Latency(board)
    )


def check_time(run, limits, board):
    """Hold the slowest warp of a launch to its limits."""
    clock = run.clock
    assert 0 < clock.cycles.max() <= limits[board]
    assert clock.issued.max() <= limits["issued"] and run.barriers <= limits["barriers"]
    assert clock.doubles.max() <= limits["doubles"]


@pytest.mark.parametrize("board, capability", [("nano", 53), ("orin", 87)])
def test_a_frames_select_waits_little(table, board, capability):
    random, shape = np.random.RandomState(64), (1, 48, 256)
    net = network(lost_below=0.6)
    turn = Turn(machine(board, capability, "points"), net, shape)
    features = random.normal(1, 1, shape).astype(np.float32)
    turn.begin((300.0, 200.0, 60.0, 50.0), features)
    turn.select(random_maps(net, random, 1.0), features)
    check_time(turn.shim.runs["hp_select_points"], table["select"], board)


@pytest.mark.parametrize("family", sorted(test_families.FAMILIES))
def test_a_familys_select_waits_little(table, family):
    stretched = {"crop": "stretched", "exemplar_margin": 0.2, "search_margin": 2.0}
    net = test_families.of_family(family)._replace(
        lost_below=0.6, clip="inside", box_pixels="round", **stretched
    )
    turn = Turn(machine("orin", 87, family), net, frame=test_families.FRAME)
    turn.begin((300.0, 200.0, 60.0, 50.0))
    turn.select(test_families.random_maps(net, 1))
    check_time(turn.shim.runs[f"hp_select_{family}"], table["families"][family], "orin")
