"""What ``deploy/bundles/shipped/android/run.sh`` can't do: shapes for benchncnn, the verdict.

    python -m hotpath.deploy.fps.phone jobs BUNDLE
    python -m hotpath.deploy.fps.phone verdict FOLDER

A sample of a device has its thermal files, ``PATH VALUE`` a line, and ``dumpsys thermalservice``.
The files are read by the readers for boards, and the verdict is that of the FPS suite. Exit codes:
0, 2 it can't be done, 3 invalid.
"""

import pathlib
import re
import sys
import tempfile
from typing import Dict, Iterator, List, Optional, Tuple

import numpy as np

from hotpath.boards.files import Root
from hotpath.boards.sensors import Notes, cooling, heat
from hotpath.deploy.fps import verdict
from hotpath.deploy.fps.evidence import PathLike, Sample
from hotpath.kernels.cli import exit_code
from hotpath.kernels.commands import make
from hotpath.runtime import bundle
from hotpath.runtime.engines.ncnn import kernels
from hotpath.runtime.errors import BadBundle, HotpathError

# Android's own state, 0 to 6; from 1 on, it slows the device down
STATUS = re.compile(r"^Thermal Status: ([0-9]+)", re.MULTILINE)
CURRENT = re.compile(r"Current temperatures from HAL:(.*?)(?:Current cooling|\Z)", re.DOTALL)
TEMPERATURE = re.compile(r"mValue=([-0-9.]+), mType=[0-9]+, mName=([^,}]+)")
TIME = re.compile(r"(\S+)\.param +min = +([0-9.]+) +max = +([0-9.]+) +avg = +([0-9.]+)")


class NoTimes(HotpathError):
    """benchncnn did not run the network."""


def jobs(folder: PathLike) -> Iterator[Tuple[str, str]]:
    """Yield a param file and the shapes of its inputs, as benchncnn takes them: width first."""
    opened = bundle.Bundle(folder)
    opened.check_parts()
    if opened.engine != "ncnn" or opened.precision != "fp16":
        command = make("engine", BOARD="android", PRECISION="fp16")
        raise BadBundle(
            f"{folder} is a bundle for {opened.engine} in {opened.precision}, and benchncnn "
            f"computes in fp16 with ncnn; build one with `{command}`"
        )
    for model in opened.run["models"].values():
        whole = kernels(str(opened.path(model["param"])))
        shapes = []
        for number, (_, shape) in enumerate(model["inputs"]):
            drop = shape[0] == 1 and f"in{number}" not in whole
            shapes.append("[{}]".format(",".join(map(str, reversed(shape[drop:])))))
        yield model["param"], ",".join(shapes)


def sample(text: str) -> Sample:
    """Return the temperatures and cooling states of a device as the evidence keeps them."""
    with tempfile.TemporaryDirectory() as folder:
        for line in text.splitlines():
            path, _, value = line.partition(" ")
            if path.startswith("/sys/class/thermal/") and ".." not in path:
                file = pathlib.Path(folder + path)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(value)
        root = Root(folder)
        notes = Notes()
        values = {}
        for sensor in (heat.find(root, None, notes), cooling.find(root, None, notes)):
            values.update(sensor.read() if sensor else {})
    status, current = STATUS.search(text), CURRENT.search(text)
    if status:
        values["cooling_android_thermal_status_state"] = int(status.group(1))
    temperatures = (
        [float(value) for value, _ in TEMPERATURE.findall(current.group(1))] if current else []
    )
    if temperatures and values.get("hottest_temp_c") is None:
        values["hottest_temp_c"] = max(temperatures)
    return values


def judge(folder: PathLike) -> Tuple[List[str], bool]:
    """Return (lines that tell times, temperatures and verdict; whether the figures are valid)."""
    folder = pathlib.Path(folder)
    times: Dict[str, List[List[float]]] = {}
    for name, *ms in TIME.findall((folder / "times").read_text()):
        if not float(ms[2]):
            raise NoTimes(f"benchncnn does not load {name}.param; name a newer release of ncnn")
        times.setdefault(name, []).append([float(value) for value in ms])
    lines = []
    for name, rows in times.items():
        low, high, middle = np.array(rows).T
        text = "{}: {:.2f} ms, {:.2f} to {:.2f} in {} rounds"
        lines.append(text.format(name, np.median(middle), low.min(), high.max(), len(rows)))
    samples = [sample(path.read_text()) for path in sorted(folder.glob("sample-*"))]
    degrees = [values.get("hottest_temp_c") for values in samples]
    readings = [value for value in degrees if value is not None]
    if readings:
        lines.append(
            f"hottest sensor: {readings[0]:.1f} °C at first, {max(readings):.1f} °C at most"
        )
    judgement = verdict.judge(
        {
            "before": {"sample": samples[0], "locked": {}},
            "after": {"sample": samples[-1], "locked": {}},
            "samples": samples,
            "results": [],
            "run": {"complete": True},
        }
    )
    state, reasons = judgement["state"], [reason["text"] for reason in judgement["reasons"]]
    if not any(key.startswith("cooling_") for values in samples for key in values):
        state, reasons = "warn", ["the device does not tell adb whether heat slows it down"]
    lines.append(": ".join(["verdict", state] + (["; ".join(reasons)] if reasons else [])))
    return lines, state != "invalid"


def main(arguments: Optional[List[str]] = None) -> int:
    """Run the command line and return the exit code."""
    word, path = sys.argv[1:] if arguments is None else arguments

    def run() -> int:
        if word == "jobs":
            for job in jobs(path):
                print(*job)
            return 0
        lines, is_valid = judge(path)
        print("\n".join(lines))
        return 0 if is_valid else 3

    return exit_code("run.sh", run)


if __name__ == "__main__":
    sys.exit(main())
