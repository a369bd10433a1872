"""The times of a bundle on an Android device: ``run.sh`` with a stand-in for adb."""

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from hotpath.deploy.fps import phone
from hotpath.runtime import bundle
from hotpath.runtime.errors import BadBundle
from hotpath.runtime.network import sha256_of
from tests.support import ROOT, tiny
from tests.support.errors import refusal

RUN = ROOT / "deploy" / "bundles" / "shipped" / "android" / "run.sh"
ADB = ROOT / "tests" / "fakes" / "adb.py"
INPUTS = {
    "exemplar": {"in0": [1, 3, 127, 127]},
    "search": {"in0": [1, 3, 255, 255], "in1": [1, 96, 8, 4]},
}
# Prints as ncnn's benchncnn does, on standard error; it warms the device up by 4 degrees.
BENCHNCNN = """#!{python} -SE
import sys
from pathlib import Path
thermal = Path({device!r}) / "sys" / "class" / "thermal"
loops, threads, powersave, gpu, cooling, *rest = sys.argv[1:]
given = dict(word.split("=", 1) for word in rest)
say = lambda text: print(text, file=sys.stderr)
say(f"loop_count = {{loops}}\\nnum_threads = {{threads}}\\npowersave = {{powersave}}")
inputs = Path(given["param"]).read_text().count("Input ")
if given["shape"].count("[") < inputs:
    say(f"input 1 tensors while model has {{inputs}} inputs")
else:
    say("%20s  min = %7.2f  max = %7.2f  avg = %7.2f" % (given["param"], {ms}, {ms} + 2, {ms} + 1))
    heat = thermal / "thermal_zone0" / "temp"
    heat.write_text(str(int(heat.read_text()) + 4000))
    if int(heat.read_text()) > {limit}:
        (thermal / "cooling_device0" / "cur_state").write_text("2")
"""


def write_bundle(folder, precision="fp16"):
    """A bundle of two networks that have only inputs; returns its folder."""
    folder.mkdir(parents=True)
    toml = tiny.write_network(folder)
    models = {}
    for part, inputs in INPUTS.items():
        lines = [f"Input {name} 0 1 {name}" for name in inputs]
        (folder / f"{part}.param").write_text("\n".join(["7767517", "2 2", *lines, ""]))
        models[part] = {"param": f"{part}.param", "inputs": list(map(list, inputs.items()))}
    parts = {
        path.name: {"sha256": sha256_of(path), "bytes": path.stat().st_size}
        for path in folder.iterdir()
        if path.suffix in (".param", ".toml")
    }
    values = {key: {} for key in bundle.TABLES}
    values.update(format=bundle.FORMAT, board="android", engine="ncnn", precision=precision)
    values.update(parts=parts, run={"models": models}, network={"name": toml.stem, "files": {}})
    values.update(compute_capability=None, calibration_sha256=None)
    values["sha256"] = bundle.seal(values)
    (folder / bundle.FILE).write_text(json.dumps(values))
    return folder


class Phone:
    """A device behind a stand-in for adb, and what ``run.sh`` is given."""

    def __init__(self, folder):
        self.folder, self.device = folder, folder / "device"
        thermal = self.device / "sys" / "class" / "thermal"
        for name, kind, file, value in (
            ("thermal_zone0", "cpu-0-therm", "temp", 30000),
            ("thermal_zone1", "off-therm", "temp", -256000),
            ("cooling_device0", "cpufreq-cpu7", "cur_state", 0),
            ("cooling_device1", "fan", "cur_state", 3),
        ):
            (thermal / name).mkdir(parents=True)
            (thermal / name / "type").write_text(kind + "\n")
            (thermal / name / file).write_text(str(value))
        for path in ("data/local/tmp", "system/bin", "bin"):
            (self.device / path).mkdir(parents=True)
        fast = f"#!{sys.executable} -SE"  # /usr/bin/env may find a slow starter of Pythons
        adb = ADB.read_text().replace("#!/usr/bin/env python3", fast)
        self.program(self.device / "bin" / "adb", adb)
        self.dumpsys("Can't find service: thermalservice")
        self.bundle = write_bundle(folder / "my bundle")
        self.benchncnn(ms=7.5, limit=10**6)
        self.environment = dict(FAKE_DEVICE=str(self.device), FAKE_DEVICES="ab12 device")

    def program(self, path, text):
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def dumpsys(self, text):
        self.program(self.device / "system" / "bin" / "dumpsys", f"#!/bin/sh\necho '{text}'\n")

    def benchncnn(self, text=BENCHNCNN, **values):
        """Write it into a folder as that of a release."""
        values.update(python=sys.executable, device=str(self.device))
        path = self.folder / "ncnn release" / "arm64-v8a" / "bin" / "benchncnn"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.format(**values))  # adb or chmod has to make it a program
        self.release = path.parents[2]

    def run(self, *given, **environment):
        words = given or (self.release, self.bundle)
        done = subprocess.run(
            ["sh", str(RUN), *map(str, words)],
            capture_output=True,
            text=True,
            env={
                **os.environ,
                "PATH": f"{self.device / 'bin'}:{os.environ['PATH']}",
                "PYTHON": sys.executable,
                "ROUNDS": "2",
                **self.environment,
                **environment,
            },
        )
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
def a_phone(tmp_path):
    return Phone(tmp_path)


def test_a_cool_device_gives_milliseconds_temperatures_and_ok(a_phone):
    code, out, errors = a_phone.run()
    assert (code, errors) == (0, "")
    exemplar, search, heat, verdict = out.splitlines()
    assert exemplar.startswith("exemplar: 8.50 ms, 7.50 to 9.50 in 2")
    assert search.startswith("search: 8.50 ms")
    assert "30.0 °C" in heat and "46.0 °C" in heat  # 4 runs; the fan counts for nothing
    assert verdict == "verdict: ok"
    there = sorted(path.name for path in (a_phone.device / "data/local/tmp/hotpath").iterdir())
    assert there == ["benchncnn", "exemplar.param", "search.param"]


def test_a_device_that_is_slowed_down_is_invalid(a_phone):
    a_phone.benchncnn(ms=7.5, limit=40000)
    code, out, errors = a_phone.run()
    assert code == 3 and "invalid" in out and "cpufreq_cpu7" in out, (out, errors)


@pytest.mark.parametrize(("status", "code"), [(0, 0), (2, 3)])
def test_where_thermal_files_are_closed_android_itself_tells(status, code, a_phone):
    shutil.rmtree(str(a_phone.device / "sys/class/thermal/cooling_device0"))
    a_phone.benchncnn(BENCHNCNN.split("    heat = ")[0], ms=7.5)
    shutil.rmtree(str(a_phone.device / "sys"))
    temperature = "Temperature{mValue=%s, mType=0, mName=%s, mStatus=0}"
    a_phone.dumpsys(
        f"Thermal Status: {status}\nCached temperatures:\n\t{temperature % (99.0, 'CPU')}\n"
        f"Current temperatures from HAL:\n\t{temperature % (41.5, 'CPU0')}\n"
        f"\t{temperature % (36.0, 'skin')}\nCurrent cooling devices from HAL:\n"
    )
    found, out, _ = a_phone.run()
    assert found == code and "41.5 °C at most" in out
    assert ("android_thermal_status" in out) == (status > 0)


def test_a_device_that_tells_nothing_of_heat_is_a_warning(a_phone):
    a_phone.benchncnn(BENCHNCNN.split("    heat = ")[0], ms=7.5)
    shutil.rmtree(str(a_phone.device / "sys"))
    code, out, _ = a_phone.run()
    assert code == 0 and "verdict: warn" in out and "ms" in out


@pytest.mark.parametrize(
    ("devices", "said"),
    [
        ("", "no device"),
        ("ab12 unauthorized", "allow it"),
        ("ab12 offline", "offline"),
        ("ab12 device,cd34 device", "ANDROID_SERIAL=ab12"),
    ],
)
def test_a_device_that_can_not_be_used_is_one_sentence(devices, said, a_phone):
    code, out, errors = a_phone.run(FAKE_DEVICES=devices)
    assert (code, out) == (2, "") and len(errors.splitlines()) == 1 and said in errors
    assert not (a_phone.device / "data/local/tmp/hotpath").exists()


def test_one_of_several_devices_is_chosen(a_phone):
    several = {"FAKE_DEVICES": "ab12 unauthorized,cd34 device"}
    assert a_phone.run(**several, ANDROID_SERIAL="cd34")[0] == 0
    code, _, errors = a_phone.run(**several, ANDROID_SERIAL="ef56")
    assert code == 2 and "ef56" in errors


def test_before_android_7_the_output_tells_what_failed(a_phone):
    code, out, errors = a_phone.run(FAKE_OLD="1")
    assert (code, errors) == (0, "") and "verdict: ok" in out
    shutil.rmtree(str(a_phone.device / "data/local/tmp"))
    (a_phone.device / "data/local/tmp").write_text("no folder")
    code, out, errors = a_phone.run(FAKE_OLD="1")
    assert code == 2 and "can't be made" in errors


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("#!/bin/sh\necho '     squeezenet  min = 1.0  max = 2.0  avg = 1.5' >&2", "newer"),
        ("#!/bin/sh\nexit 1", "exemplar.param"),
        (
            "#!/bin/sh\necho '  exemplar.param  min = 0.00  max = 0.00  avg = 0.00' >&2\n"
            "echo '  search.param  min = 0.00  max = 0.00  avg = 0.00' >&2",
            "does not load",
        ),
    ],
)
def test_a_benchncnn_that_times_nothing_is_refused(text, said, a_phone):
    a_phone.benchncnn(text)
    code, out, errors = a_phone.run()
    assert (code, out) == (2, "") and said in errors


def test_what_is_missing_is_named(a_phone, tmp_path):
    (tmp_path / "empty").mkdir()
    other = write_bundle(tmp_path / "other", "fp32")
    for given, said in (
        ([a_phone.release], "sh run.sh"),
        ([tmp_path / "empty", a_phone.bundle], "NCNN_BUILD_BENCHMARK"),
        ([tmp_path / "none", a_phone.bundle], "none is not there"),
        ([a_phone.release, tmp_path / "empty"], "no bundle"),
        ([a_phone.release, other], "fp16"),
    ):
        code, out, errors = a_phone.run(*given)
        assert (code, out) == (2, "") and said in errors, errors
    code, _, errors = a_phone.run(FAKE_FULL="1")
    assert code == 2 and "No space left" in errors
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "dirname", "find", "sort", "head", "cat"):
        (tools / name).symlink_to(shutil.which(name))
    code, _, errors = a_phone.run(PATH=str(tools))
    assert code == 2 and "adb is not installed" in errors


def test_shapes_are_written_width_first_and_a_kernel_keeps_its_first_axis(tmp_path):
    folder = write_bundle(tmp_path / "bundle")
    assert dict(phone.jobs(folder)) == {
        "exemplar.param": "[127,127,3]",
        "search.param": "[255,255,3],[4,8,96]",
    }
    (folder / "search.param").write_text("changed")
    with refusal(BadBundle, "wrong part", where="search.param"):
        list(phone.jobs(folder))


def test_benchncnn_gets_the_inputs_that_a_built_bundle_has(tmp_path):
    pytest.importorskip("pnnx")
    from hotpath.boards import load_board
    from hotpath.deploy.bundles.engines import ncnn
    from hotpath.deploy.bundles.order import Order
    from hotpath.runtime.networks import load_network

    order = Order(load_board("android"), load_network("kestrel_fast"), "fp16", tmp_path)
    made = ncnn.build(order, print).folder
    found = dict(phone.jobs(made))
    assert found["exemplar.param"] == "[127,127,3]" and "[255,255,3],[" in found["search.param"]
    inputs = (Path(made) / "search.param").read_text().count("\nInput")
    assert found["search.param"].count("[") == inputs
