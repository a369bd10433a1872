"""The GPU of this computer through NVML: a library of that name and surface, loaded for real."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.support import ROOT

pytestmark = pytest.mark.pythons("a library by ctypes")

COMPILER = shutil.which("cc") or shutil.which("gcc")

# An old driver: it knows the load, clocks and temperature, refuses the power (3: not supported),
# and has no function for the reasons of throttling unless asked to.
SOURCE = r"""
typedef struct { unsigned gpu, memory; } rates;
static int device;
static int started;
int nvmlInit_v2(void) { started = 1; return STATUS; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle) {
  if (!started) return 1;
  if (index) return 2;
  *handle = &device;
  return 0;
}
#define GET(name) int nvmlDeviceGet##name
#define CHECK(handle) if ((handle) != &device) return 2
GET(UtilizationRates)(void *d, rates *r) { CHECK(d); r->gpu = 87; r->memory = 9; return 0; }
GET(ClockInfo)(void *d, int kind, unsigned *mhz) { CHECK(d); *mhz = kind ? 1 : 1350; return 0; }
GET(MaxClockInfo)(void *d, int kind, unsigned *mhz) { CHECK(d); *mhz = kind ? 1 : 1980; return 0; }
GET(Temperature)(void *d, int kind, unsigned *c) { CHECK(d); *c = kind ? 0 : 61; return 0; }
GET(PowerUsage)(void *d, unsigned *mw) { CHECK(d); *mw = 0; return 3; }
#ifdef REASONS
GET(CurrentClocksThrottleReasons)(void *d, unsigned long long *bits) {
  CHECK(d); *bits = REASONS; return 0;
}
#endif
"""

READ = """
import json, sys
from boards.sensors import cooling
from boards.telemetry import Telemetry
telemetry = Telemetry(sys.argv[1])
sample = telemetry.read()
print(json.dumps([sample, telemetry.skipped, cooling.active(sample)]))
"""


@pytest.fixture
def read(tmp_path):
    """A function that compiles the driver's library and reads telemetry with it in a process."""
    if not COMPILER:
        pytest.skip("no C compiler")

    def read(root="/", **defines):
        (tmp_path / "nvml.c").write_text(SOURCE)
        flags = [f"-D{key}={value}" for key, value in dict({"STATUS": 0}, **defines).items()]
        subprocess.check_call(
            [COMPILER, "-shared", "-fPIC", "-o", str(tmp_path / "libnvidia-ml.so.1")]
            + flags
            + [str(tmp_path / "nvml.c")]
        )
        done = subprocess.check_output(
            [sys.executable, "-c", READ, str(root)],
            cwd=str(ROOT),
            env=dict(os.environ, LD_LIBRARY_PATH=str(tmp_path)),
            universal_newlines=True,
        )
        return json.loads(done)

    return read


def test_clock_load_and_heat_of_the_gpu(read):
    sample, skipped, active = read()
    assert sample["gpu_clock_hz"] == 1350000000 and sample["gpu_clock_max_hz"] == 1980000000
    assert sample["gpu_load_percent"] == 87 and sample["gpu_temp_c"] == 61
    assert active == []


def test_what_the_driver_refuses_or_lacks_is_skipped(read):
    sample, skipped, _ = read()
    assert "gpu_power_mw" not in sample and "cooling_nvidia_gpu_state" not in sample
    reasons = " ".join(why for _, why in skipped)
    assert "gpu_power_mw" in reasons and "cooling_nvidia_gpu_state" in reasons


def test_throttling_by_heat_is_active_and_the_power_cap_is_not(read):
    assert read(REASONS="0x24")[2] == ["cooling_nvidia_gpu_state"]
    assert read(REASONS="0x05")[2] == []


def test_a_driver_that_does_not_start_is_no_error(read):
    sample, skipped, _ = read(STATUS=9)  # NVML_ERROR_DRIVER_NOT_LOADED
    assert "gpu_clock_hz" not in sample
    assert ["libnvidia-ml.so.1", "the driver finds no GPU"] in skipped


def test_this_computers_gpu_is_not_another_boards(read, tmp_path):
    sample, skipped, _ = read(root=tmp_path / "board")
    assert sample == {} and "libnvidia-ml" not in str(skipped)
