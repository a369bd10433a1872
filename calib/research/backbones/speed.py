"""Times ONNX backbones on this computer's engines: all of them in turns, and layer by layer."""

import collections
import datetime
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from calib import provenance, qdq, ranges
from calib.errors import Missing
from runtime import engines
from runtime.engines import openvino

WARM_UP, ROUNDS = 5, 40
PICTURES = 4  # that ranges are measured on

Times = collections.namedtuple("Times", "cold warm")  # two lists of milliseconds


class OnnxRuntime:
    """One model in ONNX Runtime; ``run()`` is one picture."""

    name = "onnxruntime"

    def __init__(self, model: onnx.ModelProto, threads: int = 1, profile: Any = None) -> None:
        self._session = ranges.session(model, threads, profile)
        (taken,) = self._session.get_inputs()
        self._feed = {taken.name: picture(taken.shape[-1], 0)}

    def run(self) -> None:
        """One picture."""
        self._session.run(None, self._feed)

    def layers(self) -> dict[str, float]:
        """dict of node -> median milliseconds; the session ends."""
        path = Path(self._session.end_profiling())
        events = json.loads(path.read_text())
        path.unlink()
        times: dict[str, list[float]] = {}
        for event in events:
            if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
                name = event["name"][: -len("_kernel_time")]
                times.setdefault(name, []).append(event["dur"] / 1e3)
        return {name: statistics.median(each) for name, each in times.items()}


class OpenVino:
    """One model in OpenVINO; ``run()`` is one picture."""

    name = "openvino"

    def __init__(self, model: onnx.ModelProto, threads: int = 1, profile: Any = None) -> None:
        library = openvino.load_library()
        compiled = openvino.compile_on_cpu(
            library, model.SerializeToString(), threads, PERF_COUNT=bool(profile)
        )
        self._request = compiled.create_infer_request()
        self._request.set_input_tensor(
            library.Tensor(picture(compiled.input(0).shape[-1], 0), shared_memory=False)
        )

    def run(self) -> None:
        """One picture."""
        self._request.infer(share_outputs=True)

    def layers(self) -> dict[str, float]:
        """dict of node -> milliseconds of the last picture."""
        return {
            entry.node_name: entry.real_time.total_seconds() * 1e3
            for entry in self._request.profiling_info
            if entry.real_time.total_seconds() > 0
        }


RUNNERS = {runner.name: runner for runner in (OpenVino, OnnxRuntime)}


def picture(side: int, seed: int) -> np.ndarray:
    """A picture of blurred noise, float32 (1, 3, side, side), of zero mean and unit variance."""
    rng = np.random.default_rng(seed)
    coarse = rng.normal(size=(1, 3, -(-side // 8), -(-side // 8)))
    fine = np.kron(coarse, np.ones((1, 1, 8, 8)))[..., :side, :side] + rng.normal(
        size=(1, 3, side, side)
    )
    return np.asarray((fine / fine.std()).astype(np.float32))


def int8(model: onnx.ModelProto) -> onnx.ModelProto:
    """The INT8 form for ONNX Runtime and OpenVINO, with ranges of blurred noise.

    Such ranges are good for times alone; ``calib.int8`` measures those of a tracker.
    """
    prepared = qdq.prepared(model)
    histograms = ranges.Histograms(prepared)
    (taken,) = prepared.graph.input
    side = taken.type.tensor_type.shape.dim[3].dim_value
    for seed in range(PICTURES):
        histograms.add({taken.name: picture(side, seed)})
    return qdq.quantised(prepared, histograms.ranges("minmax"))


def runners(names: Sequence[str] | None = None) -> dict[str, Any]:
    """The engines to time on: dict of name -> class."""
    found = [n for n in (names or engines.installed()) if n in RUNNERS and n in engines.installed()]
    if not found:
        raise Missing(f"no engine of {', '.join(RUNNERS)} is installed; run `make setup`")
    return {name: RUNNERS[name] for name in found}


def in_turns(calls: dict[Any, Callable[[], Any]], rounds: int = ROUNDS) -> dict[Any, Times]:
    """Time functions in turns, so that a busy moment meets all of them.

    Each turn is two calls. In the first one the caches hold what the others left there, as at a
    camera's pace. The second one is the same again at once, as flat out.
    """
    times = {key: Times([], []) for key in calls}
    for number in range(WARM_UP + rounds):
        for key, call in calls.items():
            for kept in times[key]:
                started = time.perf_counter()
                call()
                if number >= WARM_UP:
                    kept.append((time.perf_counter() - started) * 1e3)
    return times


def by_layer(runner: Any, model: onnx.ModelProto, folder: Path) -> dict[str, float]:
    """dict of node -> milliseconds of a model on an engine."""
    made = runner(model, profile=os.path.join(str(folder), "profile"))
    for _ in range(WARM_UP + 5):
        made.run()
    times: dict[str, float] = made.layers()
    return times


def conditions(command: str, threads: int, rounds: int) -> dict[str, Any]:
    """What times hang on, of the module that was run: a dict of texts and numbers."""
    return {
        "command": " ".join(["python -m", command, *sys.argv[1:]]),
        "date": datetime.date.today().isoformat(),
        "processor": provenance.processor(),
        "threads": threads,
        "rounds": rounds,
    }
