"""The fabric's convolution unit, simulated, equals the NumPy model bit for bit."""

import pytest

from tests.kernels.fpga.benches import runner
from tests.support import fpga_sizes
from tests.support.examples import few_of

WORDS = 4096  # of all banks together


def simulated(top, module, parameters=None):
    environment = {name: str(value) for name, value in (parameters or {}).items()}
    try:
        runner.run(top, "tests.kernels.fpga.benches." + module, parameters, environment)
    except runner.CannotSimulate as reason:
        pytest.skip(str(reason))


@pytest.mark.slow(fpga_sizes.WHY)
def test_requantisation_is_as_defined():
    simulated("hp_requantise", "requantise_bench")


@pytest.mark.parametrize(
    "lanes, pumped", few_of([(1, 0), (2, 1), (4, 0), (4, 1)], [(2, 1)], fpga_sizes.WHY)
)
def test_convolutions_are_the_models_while_other_streams_run(lanes, pumped):
    simulated(
        "hp_convolution",
        "convolution_bench",
        {"LANES": lanes, "MAP_WORDS": WORDS // lanes, "WEIGHT_TILES": 256, "PUMPED": pumped},
    )
