"""The steps of ``python -m hotpath boards bringup``, in the order of ``STEPS``.

A step is a function of the ``State`` that returns a phrase about what it found. It raises
``StepFailed`` with advice, another ``HotpathError``, or ``Skip`` when it does not apply.
"""

import os
import pathlib
from typing import Any, Callable, Dict, Optional, Tuple

import numpy as np

from hotpath.base.errors import HotpathError
from hotpath.boards import detect, installed, snapshot
from hotpath.boards.files import Root
from hotpath.boards.telemetry import Telemetry
from hotpath.deploy.bundles import engines
from hotpath.deploy.bundles.order import Order
from hotpath.deploy.doctor import Situation
from hotpath.deploy.doctor.bringup import reference
from hotpath.deploy.doctor.bringup.film_tracking import (
    Times,
    mean_overlap,
    told,
    track_both,
    track_by_steps,
    track_film,
    way_of,
)
from hotpath.deploy.doctor.missing_packages import missing_packages
from hotpath.deploy.doctor.traps import traps
from hotpath.deploy.film import film
from hotpath.deploy.fps.evidence import why_invalid
from hotpath.kernels import cpu, golden
from hotpath.kernels.fpga.answer import TURNS
from hotpath.runtime import engines as runtime_engines
from hotpath.runtime import loading
from hotpath.runtime.devices.processor import CpuDevice
from hotpath.runtime.networks import default_of, load_network
from hotpath.runtime.options import Options
from hotpath.runtime.types import TRACKED

FRAMES = 60  # of the clip
CLOSE_PX = 0.5  # boxes of the same engine may differ by a rounding
OTHER_PX = 3.0  # boxes of two engines or precisions; kestrel_fast in FP16 is off by 2.0
OVERLAP = 0.7  # mean, with the film's target; kestrel has .93 in fp32
CORRELATION_ERROR = 1e-4  # of the greatest value: float32 sums in another order
GPU_FAMILIES = ("jetson", "nvidia")
PAIR = "both networks"
OTHER_ENGINE = "send the evidence in; meanwhile track with --engine onnxruntime or openvino"


class Skip(Exception):
    """The step does not apply here, or a step that it needs has failed."""


class StepFailed(HotpathError):
    """A step failed.

    Args:
        text: what was found.
        advice: what to do.
    """

    def __init__(self, text: str, advice: str) -> None:
        super().__init__(text)
        self.advice = advice


class State:
    """What earlier steps found.

    Args:
        network: name or TOML; None for the board's, and its witness.
        folder: folder of all bundles.
        say: function of one sentence.
        engine: that runs the network; None for the board's own.

    Raises:
        BuildFailed: there is no such engine.
        UnknownNetwork, BadNetwork: there is no such network, or its TOML is wrong.
    """

    def __init__(
        self,
        network: Optional[str],
        folder: str,
        say: Callable[[str], None],
        engine: Optional[str] = None,
    ) -> None:
        self.folder = folder
        self.say = say
        self.engine = engine
        self.detection = detect.detect()
        board = self.detection.board
        if board is not None:
            engines.build_of(board, engine)
        pair = (default_of(board), None if board is None or engine else board.witness)
        self.networks = [network] if network else [name for name in pair if name is not None]
        for name in self.networks:
            load_network(name)
        self.network = self.networks[0]  # that a step is about
        self.telemetry = Telemetry("/", self.detection.board)
        self.before = snapshot.describe()
        self.frames, truth = film(FRAMES)
        self.truth = truth[:, 0]
        self.has_driver = False
        self.device: Any = None
        self.opened: Dict[str, loading.LoadedNetwork] = {}  # by network
        self.times: Dict[str, Times] = {}  # of each network, with the clocks as they are now

    def need_gpu(self) -> None:
        """Skip a step that is about NVIDIA GPUs on other boards."""
        profile = self.detection.board
        if profile is None or profile.family not in GPU_FAMILIES:
            raise Skip("this board has no NVIDIA GPU")

    def need_device(self) -> Any:
        """Return the open GPU."""
        self.need_gpu()
        if self.device is None:
            raise Skip("the GPU is not open")
        return self.device

    def need_engine(self) -> loading.LoadedNetwork:
        """Return what ``loading.load`` returned."""
        if self.network not in self.opened:
            raise Skip("there is no engine")
        return self.opened[self.network]

    def close(self) -> None:
        """Give the engine and the device back."""
        for loaded in self.opened.values():
            loaded.engine.close()
        if self.device is not None:
            self.device.close()


def board(state: State) -> str:
    """Recognise the board."""
    detection = state.detection
    if detection.board is None:
        raise StepFailed(
            f"a {detection.soc} on a board that is not known",
            "send the evidence in, so that the board gets a profile",
        )
    release = "" if not detection.l4t else f", L4T {detection.l4t}"
    return f"{detection.board.title} ({detection.how}){release}"


def software(state: State) -> str:
    """Look for missing packages and known traps."""
    situation = Situation(state.detection, installed.find_installed(Root("/")), dict(os.environ))
    lacking, caught = missing_packages(situation), traps(situation)
    if state.engine:
        lacking = [entry for entry in lacking if entry.name != "tensorrt"]
    if lacking:
        names = ", ".join(entry.name for entry in lacking)
        raise StepFailed("missing: " + names, f"run `{lacking[0].command}`")
    if caught:
        raise StepFailed(caught[0].sentence, f"run `{caught[0].command}`")
    return "nothing is missing"


def driver(state: State) -> str:
    """Ask the driver for the GPU."""
    state.need_gpu()
    from hotpath.kernels.cuda import driver as gpu_driver

    gpu = gpu_driver.describe_gpu()
    state.has_driver = True
    number = gpu.compute_capability.replace(".", "")
    return f"{gpu.name}, sm_{number}, driver for CUDA {gpu.driver}"


def device(state: State) -> str:
    """Open the GPU with CuPy or PyCUDA."""
    state.need_gpu()
    if not state.has_driver:
        raise Skip("the driver does not answer")
    from hotpath.kernels.cuda import device as devices

    state.device = devices.open_device()
    return f"opened with {state.device.name}"


def kernels(state: State) -> str:
    """Compile every kernel for this GPU and load it."""
    gpu = state.need_device()
    from hotpath.kernels.cuda import compile as compiler

    kinds = []
    for name in compiler.SOURCES:
        path = compiler.binary(compiler.source(name), gpu.capability, gpu.driver_version)
        gpu.module(path)
        kinds.append("{} {}".format(name, pathlib.Path(str(path)).suffix.lstrip(".")))
    return ", ".join(kinds)


def correlation(state: State) -> str:
    """Compare the correlation kernels with their definitions, on the GPU."""
    gpu = state.need_device()
    from hotpath.kernels.cuda.correlate import Correlate

    random = np.random.RandomState(3)
    search = random.uniform(-1, 1, (32, 17, 17)).astype(np.float32)
    exemplar = random.uniform(-1, 1, (1, 32, 5, 5)).astype(np.float32)
    expected = golden.correlate_depthwise(exemplar[0], search, 0)
    stream, correlate = gpu.stream(), Correlate(gpu)
    staged = []  # until the copies are done
    for array in (search, exemplar):
        staging, address = gpu.pinned(array.nbytes), gpu.alloc(array.nbytes)
        staging[:] = array.reshape(-1).view(np.uint8)
        gpu.upload(address, staging, stream)
        staged.append((address, staging))
    out, result = gpu.alloc(expected.size * 4), gpu.pinned(expected.size * 4)
    (region, _), (weights, _) = staged
    correlate.depthwise(region, weights, out, search.shape, exemplar.shape, 0, stream)
    gpu.download(result, out, stream)
    gpu.synchronise(stream)
    worst = float(np.abs(result.view(np.float32).reshape(expected.shape) - expected).max())
    worst /= float(np.abs(expected).max())
    if not worst <= CORRELATION_ERROR:
        raise StepFailed(
            f"the correlation is off by {worst:.2g} of its range",
            "remove kernels/cuda/build and run this again; send the evidence in if it stays",
        )
    return f"within {worst:.1g} of the definition's range"


def engine(state: State) -> str:
    """Build the bundle when it is missing, and load it."""
    profile = state.detection.board
    if profile is None:
        raise Skip("the board is not known")
    network = load_network(state.network)
    build = engines.build_of(profile, state.engine)
    precision = "fp32" if state.engine else profile.precision["default"]
    order = Order(profile, network, precision, state.folder, engine=state.engine)
    if not (order.target / "bundle.json").is_file():
        if build(order, state.say) is None:
            raise StepFailed("the bundle was not built", f"run `{order.command()}`")
    loaded = loading.load(Options(bundle=str(order.target), precision=order.precision))
    state.opened[state.network] = loaded
    return "{engine} {version} on {device}, {precision}".format(**loaded.engine.describe())


def answer(state: State) -> str:
    """Run the bundle's known answer in an FPGA, with the cache written back and without."""
    engine: Any = state.need_engine().engine
    if engine.fabric is None:
        raise Skip("this board has no FPGA")
    right = engine.answers(TURNS)
    cycles, without = engine.fabric.read("CYCLES"), engine.answers(TURNS, flush=False)
    sentence = (
        f"{right} of {TURNS} runs gave the known answer, {without} without a flush of the cache"
    )
    if right < TURNS:
        advice = (
            "build the overlay and the bundle again"
            if right == 0
            else (
                "results that change from run to run come from timing or a cache: lower "
                "assumed_clock_mhz in projects/fpga/hotpath_fpga/sizes.toml and build the "
                "overlay again"
            )
        )
        raise StepFailed(sentence, advice + "; send the evidence in")
    return f"{sentence}; {cycles:,} cycles a search"


def maps(state: State) -> str:
    """Compare the network's maps with those of fp32 that ship with this program."""
    loaded = state.need_engine()
    expected = reference.read_reference(loaded.network)
    if not expected or loaded.engine.fabric is not None:
        raise Skip(f"no maps of {loaded.network.name} ship for this engine")
    precision = loaded.engine.describe()["precision"]
    bound = reference.BOUNDS.get(precision, max(reference.BOUNDS.values()))
    errors = reference.errors(loaded.engine, expected)
    text = ", ".join(f"map {number} {error:.2g}" for number, error in enumerate(errors))
    if not max(errors) <= bound:
        raise StepFailed(
            f"the network's maps are not those of fp32: {text} of its range, more than {bound}",
            f"remove {state.folder} and run this again; send the evidence in if it stays",
        )
    return f"{precision} is off by at most {max(errors):.2g} of the range of fp32's maps"


def _follow(
    state: State, name: str, tracker: Any, advice: str = OTHER_ENGINE
) -> Tuple[np.ndarray, float]:
    """Follow the film's target, and note the times; returns the boxes and their overlap with it.

    Raises:
        StepFailed: they do not lie on the target.
    """
    boxes_here, step_ms = track_film(tracker, state.frames, state.truth[0])
    state.times[name] = {way_of(tracker.device): step_ms}
    overlap = mean_overlap(boxes_here, state.truth[1:])
    if not overlap >= OVERLAP:
        raise StepFailed(
            f"the boxes overlap the film's target by {overlap:.2f}, less than {OVERLAP}", advice
        )
    return boxes_here, overlap


def boxes(state: State) -> str:
    """Compare this board's boxes with where the film's target is, and with the processor's.

    Where crop and select run on a GPU, the processor does these with the same engine. Else another
    engine of the processor tracks.
    """
    loaded = state.need_engine()
    tracker = loading.create_tracker(*loaded, Options(log=state.say))
    boxes_here, overlap = _follow(state, state.network, tracker)
    if isinstance(tracker.device, CpuDevice):
        boxes_there, limit = _by_another_engine(state), OTHER_PX
    else:
        processor = CpuDevice(loaded.network, loaded.engine, cpu.load())
        host = loading.tracker_on(processor, Options(log=state.say))  # it chooses as the GPU's does
        boxes_there, limit = track_film(host, state.frames, state.truth[0])[0], CLOSE_PX
        by_steps = track_by_steps(loaded, state.frames, state.truth[0])
        state.times[state.network]["steps"] = by_steps
    worst = float(np.abs(boxes_here - boxes_there).max())
    if not worst <= limit:
        raise StepFailed(f"boxes differ from the processor's by {worst:.2f} pixels", OTHER_ENGINE)
    kind = tracker.device.title
    near = f"within {worst:.2g} pixels of the processor's"
    return f"{kind}: {FRAMES} frames, {near}, overlap with the film's target {overlap:.2f}"


def _by_another_engine(state: State) -> np.ndarray:
    """Return the boxes of another engine of the processor."""
    own = state.need_engine().engine.name
    names = [name for name in runtime_engines.installed() if name != own]
    if not names:
        raise Skip("there is no other engine here to compare with")
    loaded = loading.load(Options(state.network, engine=names[0], precision="fp32"))
    boxes_there, _ = track_film(loading.create_tracker(*loaded), state.frames, state.truth[0])
    loaded.engine.close()
    return boxes_there


def targets(state: State) -> str:
    """Follow two targets at once; lose one, and find it again."""
    problem, text = track_both(state.need_engine(), state.say)
    if problem:
        raise StepFailed(problem, OTHER_ENGINE)
    return text


def pair(state: State) -> str:
    """Follow with both networks, as ``hotpath track`` does."""
    if len(state.networks) < 2 or len(state.opened) < 2:
        raise Skip("one network runs here")
    devices = [loading.create_device(*loaded) for loaded in state.opened.values()]
    devices[0].beside = devices[1]
    tracker = loading.tracker_on(devices[0], Options(), devices[1])
    alone = "send the evidence in; meanwhile track with --witness none"
    _, overlap = _follow(state, PAIR, tracker, alone)
    tracks = [tracker.update(state.frames[-1]) for _ in range(2)]
    if tracks[-1].state != TRACKED:
        raise StepFailed(f"the film's target is {tracks[-1].state} with both networks", alone)
    return f"{PAIR}: overlap with the film's target {overlap:.2f}, tracked"


def times(state: State) -> str:
    """Tell what a frame and its steps took, with the clocks as they are now."""
    if not state.times:
        raise Skip("no target was followed")
    held = [is_held for is_held in state.telemetry.locked().values() if is_held is not None]
    clocks_are = "held" if held and all(held) else "free"
    lines = [f"{name}: {told(each)}" for name, each in state.times.items()]
    text = f"clocks {clocks_are}; " + "; ".join(lines)
    profile = state.detection.board
    if clocks_are == "free" and profile is not None and profile.family == "jetson":
        text += "; run this again after `sudo jetson_clocks`, with --out held.json"
    return text


def clocks(state: State) -> str:
    """Read clocks, power mode and heat, and whether the board was slowed down meanwhile."""
    after = snapshot.describe()
    reasons = why_invalid({"before": state.before, "after": after, "samples": []})
    if reasons:
        advice = "cool it, or use a stronger supply, and run this again"
        raise StepFailed("; ".join(reasons), advice)
    mode, fastest = state.telemetry.power_mode(), state.telemetry.fastest_power_mode()
    hottest = after["sample"].get("hottest_temp_c")
    board = state.detection.board
    words = ["no temperature can be read" if hottest is None else f"hottest {hottest} C"]
    if mode is not None:
        words.append(f"power mode {mode.name}")
    if fastest is not None and mode is not None and fastest.id != mode.id:
        words.append(f"faster: sudo nvpmodel -m {fastest.id}")
    held = [name for name, is_held in after["locked"].items() if is_held]
    hint = "; sudo jetson_clocks holds them" if board and board.family == "jetson" else ""
    words.append("clocks held: " + (", ".join(held) or "none" + hint))
    return ", ".join(words)


STEPS: Tuple[Callable[[State], str], ...] = (
    board,
    software,
    driver,
    device,
    kernels,
    correlation,
    engine,
    answer,
    maps,
    boxes,
    targets,
    pair,
    times,
    clocks,
)
OF_A_NETWORK = (engine, answer, maps, boxes, targets)  # once for each network
