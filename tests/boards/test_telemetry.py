"""Telemetry of boards laid out below a folder: every layout, and the traps of real boards."""

import os

import pytest

from hotpath.boards import load_board
from hotpath.boards.files import Root
from hotpath.boards.sensors import throttle
from hotpath.boards.sensors.cpu import count_of
from hotpath.boards.telemetry import Telemetry
from tests.support.board_roots import NAMES, BoardRoot

on_each_python = pytest.mark.pythons("files of a board")

UNITS = tuple("_hz _c _mw _percent _count _state _uj _id _name".split())


@on_each_python
@pytest.mark.parametrize("name", NAMES)
def test_every_key_names_its_unit(name, tmp_path):
    telemetry = BoardRoot(name, tmp_path).telemetry()
    sample = telemetry.read()
    for key, value in sample.items():
        assert key.endswith(UNITS)
        assert value is None or isinstance(value, (int, float, str))
    assert set(telemetry.found) <= set(sample)


ABSENT = object()
IIO_POWER = "sys/bus/i2c/devices/6-0040/iio:device0/in_power0_input"
NANO_AO = "sys/devices/virtual/thermal/thermal_zone0/type"
XAVIER_LABEL = "sys/bus/i2c/devices/7-0040/hwmon/hwmon3/in2_label"
OC1 = "sys/class/hwmon/hwmon3/oc1_event_cnt"
# board; files that change, None: that go; key -> reading
READINGS = [
    # the load is read from its alias, power from iio; root alone sees the memory's clock
    ("jetson_nano_jp4", None, {"gpu_clock_hz": 921600000, "gpu_load_percent": 50.0}),
    ("jetson_nano_jp4", None, {"pom_5v_gpu_power_mw": 201, "power_total_mw": 3145}),
    ("jetson_nano_jp4", None, {"emc_clock_hz": ABSENT, "hottest_temp_c": 42.5}),
    # power is volts times amps where iio gives no power
    ("jetson_nano_jp4", {IIO_POWER: None}, {"power_total_mw": 5040 * 624 / 1000}),
    # -256 is no reading
    ("jetson_xavier_nx_jp5", None, {"gpu_temp_c": None, "ao_temp_c": None}),
    ("jetson_xavier_nx_jp5", None, {"cpu_temp_c": 48.5, "hottest_temp_c": 48.5}),
    # hwmon3 is below the I2C device and in the class: 4976 mV x 2232 mA is all there is
    ("jetson_xavier_nx_jp5", None, {"power_total_mw": 4976 * 2232 / 1000}),
    # cores that are off have no clock
    ("jetson_xavier_nx_jp5", None, {"cpu_online_count": 2, "cpu0_clock_hz": 1907200000}),
    ("jetson_xavier_nx_jp5", None, {"cpu1_clock_hz": 1907200000, "cpu2_clock_hz": ABSENT}),
    # zones that answer EAGAIN
    ("jetson_orin_nano_jp6", None, {"cv0_temp_c": None, "tj_temp_c": 50.156}),
    ("jetson_orin_nano_jp6", None, {"hottest_temp_c": 50.156, "oc3_peak_overcurrent_count": 27390}),
    # no load, and the whole power on an unlabelled chip
    ("jetson_thor_jp7", None, {"gpu_clock_hz": 1575000000, "gpu_load_percent": ABSENT}),
    ("jetson_thor_jp7", None, {"gpu_temp_c": None, "vdd_gpu_power_mw": None}),
    ("jetson_thor_jp7", None, {"power_total_mw": 23004.0, "vin_power_mw": 23004.0}),
    ("pynq_z2", None, {"chip_temp_c": (2607 - 2219) * 123.040771484 / 1000}),
    ("kv260", None, {"pl_temp_c": (40200 - 36058) * 7.771514892 / 1000}),
    ("kv260", None, {"power_total_mw": 3630.0, "cpu3_clock_hz": 1333333000}),
    # a zone without a type is not read, were it the hottest one
    ("jetson_nano_jp4", {NANO_AO: None}, {"ao_temp_c": ABSENT, "hottest_temp_c": 34.5}),
    # the first of two rails of one name counts
    ("jetson_xavier_nx_jp5", {XAVIER_LABEL: "VDD_IN"}, {"vdd_in_power_mw": 4976 * 2232 / 1000}),
    # a counter that can't be read is none
    ("jetson_orin_nano_jp6", {OC1: "busy"}, {"oc1_undervoltage_count": ABSENT}),
]


@pytest.mark.parametrize("name, changes, wanted", READINGS)
def test_readings_of_every_layout(name, changes, wanted, tmp_path):
    board = BoardRoot(name, tmp_path)
    for path, text in (changes or {}).items():
        if text is None:
            board.path(path).unlink()
        else:
            board.put(path, text)
    sample = board.telemetry().read()
    for key, value in wanted.items():
        found = sample.get(key, ABSENT)
        assert found is value if value in (None, ABSENT) else found == pytest.approx(value, 1e-4)


def test_nanos_memory_clock_is_read_where_jetson_clocks_holds_it(nano):
    assert nano.telemetry().locked()["emc"] is None
    nano.put("sys/kernel/debug/clk/override.emc/clk_rate", 1600000000)
    nano.put("sys/kernel/debug/clk/override.emc/clk_state", 1)
    nano.put("sys/kernel/debug/tegra_bwmgr/emc_min_rate", 204000000)
    nano.put("sys/kernel/debug/tegra_bwmgr/emc_max_rate", 1600000000)
    telemetry = nano.telemetry()
    sample = telemetry.read()
    assert sample["emc_clock_hz"] == sample["emc_clock_max_hz"] == 1600000000
    assert sample["emc_clock_min_hz"] == 204000000
    assert telemetry.locked()["emc"] is True
    nano.put("sys/kernel/debug/clk/override.emc/clk_state", 0)
    assert telemetry.locked()["emc"] is False


def test_the_pmic_of_a_constant_100_degrees_is_no_temperature(nano):
    telemetry = nano.telemetry()
    assert "pmic_die_temp_c" not in telemetry.read()
    # nor where nobody knows the board
    assert "pmic_die_temp_c" not in Telemetry(nano.folder).read()


def test_a_waking_zone_is_read_and_a_chip_of_two_paths_once(tmp_path):
    xavier = BoardRoot("jetson_xavier_nx_jp5", tmp_path)
    telemetry = xavier.telemetry()
    sample = telemetry.read()
    assert sample["gpu_temp_c"] is None and not any("shunt" in key for key in sample)
    xavier.put("sys/devices/virtual/thermal/thermal_zone1/temp", "51500")
    assert telemetry.read()["gpu_temp_c"] == 51.5


@on_each_python
def test_a_real_eagain_is_none_and_does_not_block(orin):
    """A FIFO that somebody holds open for writing answers a non-blocking read with EAGAIN."""
    path = orin.path("sys/devices/virtual/thermal/thermal_zone1/temp")
    path.unlink()
    os.mkfifo(str(path))
    holder = os.open(str(path), os.O_RDWR | os.O_NONBLOCK)
    try:
        with pytest.raises(BlockingIOError):
            reader = os.open(str(path), os.O_RDONLY | os.O_NONBLOCK)
            try:
                os.read(reader, 1)
            finally:
                os.close(reader)
        telemetry = orin.telemetry()
        assert telemetry.read()["gpu_temp_c"] is None
        os.write(holder, b"48500\n")
        assert telemetry.read()["gpu_temp_c"] is None  # its end has not come: EAGAIN again
    finally:
        os.close(holder)


@on_each_python
def test_a_sensor_that_vanishes_or_gives_nonsense_is_none(orin):
    telemetry = orin.telemetry()
    orin.put("sys/class/devfreq/17000000.gpu/cur_freq", "busy\n")
    orin.path("sys/class/devfreq/17000000.gpu/min_freq").write_bytes(b"\xff\xfe")
    sample = telemetry.read()
    assert sample["gpu_clock_hz"] is None and sample["gpu_clock_min_hz"] is None
    orin.put("sys/class/devfreq/17000000.gpu/min_freq", 306000000)
    for name in ("cur_freq", "max_freq"):
        orin.path("sys/class/devfreq/17000000.gpu/" + name).unlink()
    orin.path("sys/bus/i2c/devices/1-0040/hwmon/hwmon1/curr1_input").unlink()
    sample = telemetry.read()
    assert sample["gpu_clock_hz"] is None and sample["vdd_in_power_mw"] is None
    assert sample["power_total_mw"] is None
    assert sample["vdd_soc_power_mw"] == 1480
    assert telemetry.locked()["gpu"] is None


def test_throttling_shows_in_counters_and_cooling_devices(orin):
    alert = "sys/class/thermal/cooling_device6"
    assert orin.path(alert + "/type").read_text() == "hot-surface-alert"
    orin.put(alert + "/cur_state", 1)
    telemetry = orin.telemetry()
    before = telemetry.read()
    assert throttle.active(before) == []
    assert not [key for key in before if "surface" in key or "fan" in key]
    orin.put("sys/class/hwmon/hwmon3/oc1_event_cnt", 2)
    orin.put("sys/class/thermal/cooling_device3/cur_state", 3)
    orin.put("sys/class/thermal/cooling_device0/cur_state", 4)  # the fan
    orin.put("sys/class/devfreq/17000000.gpu/cur_freq", 306000000)
    after = telemetry.read()
    assert after["oc1_undervoltage_count"] - before["oc1_undervoltage_count"] == 2
    assert throttle.active(after) == ["cooling_devfreq_17000000_gpu_state"]
    assert after["gpu_clock_hz"] < 0.95 * after["gpu_clock_max_hz"]


def test_open_channels_and_the_sum_of_shunts_are_no_rails(orin):
    orin.put("sys/bus/i2c/devices/1-0040/hwmon/hwmon1/in3_label", "NC")
    telemetry = orin.telemetry()
    rails = {key for key in telemetry.read() if key.endswith("_power_mw")}
    assert rails == {"vdd_in_power_mw", "vdd_cpu_gpu_cv_power_mw"}


def test_agx_orins_total_leaves_out_a_rail_behind_another(tmp_path):
    """Figures of a public tegrastats line, in which VIN_SYS_5V0 is a third of VDD_CPU_CV."""
    rails = (
        ("1-0040", "hwmon3", ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"), (3150, 14312, 4968)),
        ("1-0041", "hwmon4", ("NC", "VDDQ_VDD2_1V8AO", "NC"), (0, 1091, 0)),
    )
    board = BoardRoot(None, tmp_path)
    for device, chip, labels, milliwatts in rails:
        folder = f"sys/bus/i2c/devices/{device}/hwmon/{chip}"
        board.put(f"{folder}/name", "ina3221")
        for number, (name, power) in enumerate(zip(labels, milliwatts), 1):
            board.put(f"{folder}/in{number}_label", name)
            board.put(f"{folder}/in{number}_input", 1000)
            board.put(f"{folder}/curr{number}_input", power)
    sample = Telemetry(tmp_path, load_board("jetson_agx_orin")).read()
    assert sample["power_total_mw"] == 3150 + 14312 + 4968
    assert sample["vddq_vdd2_1v8ao_power_mw"] == 1091
    # nobody may guess a total on a board that is not known
    assert Telemetry(tmp_path).read()["power_total_mw"] is None


def test_a_board_without_modes_limits_or_sensors_says_so(tmp_path):
    unknown = {"gpu": None, "emc": None, "cpu": None}
    telemetry = Telemetry(tmp_path)
    assert telemetry.read() == {} and telemetry.locked() == unknown
    telemetry = BoardRoot("pynq_z2", tmp_path).telemetry()
    assert telemetry.power_mode() is None and telemetry.fastest_power_mode() is None
    assert telemetry.locked() == unknown


def test_clocks_held_by_jetson_clocks_are_seen(tmp_path):
    board = BoardRoot("jetson_orin_nano_jp7", tmp_path)
    telemetry = board.telemetry()
    assert telemetry.locked() == {"gpu": True, "emc": True, "cpu": True}
    board.put("sys/devices/system/cpu/cpu3/cpufreq/scaling_min_freq", 729600)
    board.put("sys/kernel/debug/bpmp/debug/clk/emc/mrq_rate_locked", 0)
    assert telemetry.locked() == {"gpu": True, "emc": False, "cpu": False}
    assert telemetry.read()["emc_clock_hz"] == 3199000000


def test_the_fastest_mode_goes_by_name_and_a_change_is_seen(orin, tmp_path):
    xavier = BoardRoot("jetson_xavier_nx_jp5", tmp_path / "xavier").telemetry()
    assert xavier.power_mode() == (0, "MODE_15W_2CORE")
    assert xavier.fastest_power_mode() == (8, "MODE_20W_6CORE")  # most watts, then most cores
    telemetry = orin.telemetry()
    assert telemetry.power_mode() == (0, "15W")
    assert telemetry.fastest_power_mode() == (2, "MAXN_SUPER")
    orin.put("var/lib/nvpmodel/status", "pmode:0007 fmode:quiet")
    assert telemetry.power_mode() == (7, None)
    orin.path("var/lib/nvpmodel/status").unlink()
    assert telemetry.power_mode() is None
    assert telemetry.read()["power_mode_id"] is None


def test_a_computer_has_temperatures_and_load(tmp_path):
    board = BoardRoot(None, tmp_path)
    board.put("proc/stat", "cpu  100 0 100 800 0 0 0 0 0 0")
    board.put("sys/class/hwmon/hwmon0/name", "coretemp")
    board.put("sys/class/hwmon/hwmon0/temp1_input", "45000")
    board.put("sys/class/hwmon/hwmon0/temp1_label", "Package id 0")
    board.put("sys/class/hwmon/hwmon1/name", "nvme")
    board.put("sys/class/hwmon/hwmon1/temp1_input", "60000")
    board.put("sys/class/thermal/cooling_device0/type", "intel_powerclamp")
    board.put("sys/class/thermal/cooling_device0/cur_state", "-1")
    board.put("sys/class/thermal/thermal_zone0/type", "acpitz")
    board.put("sys/class/thermal/thermal_zone0/temp", "27800")
    board.put("sys/class/thermal/thermal_zone1/type", "acpitz")
    board.put("sys/class/thermal/thermal_zone1/temp", "29800")
    telemetry = Telemetry(tmp_path, load_board("host"))
    first = telemetry.read()
    assert first["coretemp_package_id_0_temp_c"] == 45.0
    assert (first["acpitz_temp_c"], first["acpitz_2_temp_c"]) == (27.8, 29.8)
    assert first["hottest_temp_c"] == 45.0  # the disk is no processor
    assert throttle.active(first) == []  # -1: powerclamp is idle
    board.put("proc/stat", "cpu  150 0 150 900 0 0 0 0 0 0")
    assert telemetry.read()["cpu_load_percent"] == 50.0


def test_lists_of_cores_are_counted():
    assert count_of("0-3,6") == 5 and count_of("0") == 1 and count_of("0-11") == 12
    assert count_of(None) is None and count_of("all") is None


def test_folders_and_names_that_are_absent_are_no_error(tmp_path):
    root = Root(tmp_path)
    for name in ("folder", "chips/chip10", "chips/chip2/more"):
        (tmp_path / name).mkdir(parents=True)
    assert root.glob("chips/chip*") == ["chips/chip2", "chips/chip10"]
    assert root.glob("chips/*/more") == ["chips/chip2/more"]
    assert root.text("folder") is None and root.number("absent") is None
    assert root.list("absent") == [] and root.size("absent") is None
