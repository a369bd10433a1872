"""Where a network runs: the parts of its frame on each board, the engines and boards that can.

``parts_on_boards`` follows from the network's TOML and the board's. ``on_engines`` tries and
times the installed engines, and ``on_boards`` looks at the graphs.
"""

import pathlib
import time
from collections import Counter
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np

from hotpath import boards
from hotpath.kernels.commands import counted, make
from hotpath.kernels.errors import NotOnGpu
from hotpath.runtime import engines
from hotpath.runtime.engines.base import Engine
from hotpath.runtime.errors import BadNetwork, HotpathError
from hotpath.runtime.network import Network

Verdicts = List[Tuple[str, str]]  # (name of an engine or title of a board, sentence)

# The first TensorRT that imports a convolution with a tensor as weights (NVIDIA/TensorRT#137,
# onnx/onnx-tensorrt#609). For older ones the correlation is cut out.
TENSOR_WEIGHTS_FROM = (8, 5, 1)
FEWEST_RUNS, MOST_RUNS, TIMED_MS = 5, 100, 500  # of a frame, by which an engine is timed
SEARCH = "; a lost target's windows on the GPU too, judged on the processor"


def parts_on_boards(network: Network) -> Verdicts:
    """Say for each board which part of a frame runs where: its title, and a sentence."""
    named = map(boards.load_board, boards.names())
    return [(board.title, _sentence(board, network)) for board in named]


def _sentence(board: boards.Board, network: Network) -> str:
    select = "select in C++"
    on_processor = f"crop and {select} on the processor"
    if board.engine in ("tensorrt", "onnxruntime_gpu"):
        why = why_not_on_gpu(network)
        if why is None:
            return "crop, network and select on the GPU" + (SEARCH if network.can_be_found else "")
        return f"network on the GPU; {on_processor}, because {why}"
    if board.engine == "overlay":
        if network.resample == "warp":
            return "not in the FPGA: it crops windows of whole pixels, not resample = 'warp'"
        return f"crop and network in the FPGA, if it has their operators; {select} on the processor"
    return "network on the processor; " + on_processor


def why_not_on_gpu(network: Network) -> Optional[str]:
    """Why crop and select of a network do not run on a GPU; None if they do."""
    from hotpath.runtime.devices.gpu import frame_settings

    try:
        frame_settings(network)
    except NotOnGpu as error:
        reason = str(error).split("; ")[0]  # what follows is what to run instead
        name = network.name + ": "
        return reason[len(name) :] if reason.startswith(name) else reason
    return None


def on_engines(network: Network, paths: Dict[str, pathlib.Path]) -> Verdicts:
    """Run a network in each installed engine: its name, and a sentence with milliseconds.

    ``paths`` is a dict of part -> path, as ``network.locate()`` gives it.
    """
    results = []
    for name in engines.choices(of_files=True)[1:]:
        if not engines.find(name).is_installed():
            results.append((name, "not installed"))
            continue
        try:
            engine = engines.create(name, network, paths)
            features = engine.exemplar()
            inputs = features if len(paths) > 1 or "whole" in paths else ()
            values = dict(engine.describe(), ms=_milliseconds(engine, inputs))
            values["threads"] = counted(values.get("threads", 1), "thread")
            text = "{ms:.2f} ms a frame (median) on {device}, {precision}, {threads}, {version}"
            results.append((name, text.format(**values)))
            engine.close()
        except HotpathError as error:
            results.append((name, f"can't: {error}"))
    return results


def _milliseconds(engine: Engine, features: Any) -> float:
    """The median of some runs, after two that make the library ready."""
    times: List[float] = []
    while len(times) < MOST_RUNS and (len(times) < FEWEST_RUNS or sum(times) < TIMED_MS):
        started = time.perf_counter()
        engine.search(features)
        times.append((time.perf_counter() - started) * 1e3)
    return float(np.median(times[2:]))


def on_boards(
    network: Network,
    paths: Dict[str, pathlib.Path],
    parts: Dict[str, Any],
    survey: Optional[Callable[..., Any]],
) -> Verdicts:
    """Say for each board what is known to prevent a network from running there.

    Args:
        paths: dict of part -> path.
        parts: of ``quantisable.parts``.
        survey: that of the FPGA's compiler, or None.
    """
    from hotpath.graphs import assemble

    taken = _taken_out(assemble.build(network, paths))
    rows = []
    for board in map(boards.load_board, boards.names()):
        if board.engine != "overlay":
            rows.append((board.title, _verdict(board, taken)))
        elif survey is None:
            rows.append(
                (board.title, f"its compiler can say it: `{make('setup', ALSO='fpga')}` in a clone")
            )
        else:
            rows.append((board.title, _on_fpga(survey(network, parts, board.name))))
    return rows


def _on_fpga(answer: Any) -> str:
    """What the FPGA's compiler refuses, of a ``Survey``; the reason of the first of each kind."""
    if not answer.refused:
        return f"{answer.cycles:,} cycles a frame in the FPGA's engine"
    counts = Counter(operator for operator, _ in answer.refused)
    first = dict(reversed(answer.refused))
    reasons = []
    for operator, number in counts.items():
        sentence = first[operator].partition("; ")[0]
        why = sentence.partition(f"({operator}) needs ")[2] or sentence
        reasons.append(f"{operator} {number} ({why})" if operator else f"it: {first[operator]}")
    return "the FPGA's engine refuses " + ", ".join(reasons)


def _taken_out(graphs: Any) -> Optional[str]:
    """What happens to correlations that an old TensorRT can't import; None if there is none."""
    from hotpath.graphs import cut

    if not cut.find(graphs):
        return None
    try:
        form = cut.cut(graphs)
    except BadNetwork as error:
        return f"can't run: {error}"
    count = sum(len(steps) for steps in form.steps)
    return "cut at its {}, which our kernels run".format(
        "correlation" if count == 1 else f"{count} correlations"
    )


def _verdict(board: boards.Board, taken: Optional[str]) -> str:
    if board.engine != "tensorrt":
        is_tried = engines.find(board.engine).runs_files
        command = f"`{make('engine', BOARD=board.name)}` converts it"
        return "by {}{}".format(board.engine, ", see above" if is_tried else "; " + command)
    versions = sorted(_version(release.get("tensorrt")) for release in board.software.values())
    if taken is None or not versions or versions[0] >= TENSOR_WEIGHTS_FROM:
        return "no obstacle is known in TensorRT"
    if versions[-1] < TENSOR_WEIGHTS_FROM:
        return taken
    return "whole from TensorRT {}.{}.{} on; before it {}".format(*TENSOR_WEIGHTS_FROM + (taken,))


def _version(text: Optional[str]) -> Tuple[int, ...]:
    parts = [int(part) if part.isdigit() else 0 for part in (text or "0").split(".")]
    return tuple((parts + [0, 0])[:3])
