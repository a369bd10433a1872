"""Where a network runs: the parts of its frame on each board, the engines and boards that can.

``parts_on_boards`` follows from the network's TOML and the board's. ``on_engines`` tries the
installed engines, and ``on_boards`` looks at the graph's operators.
"""

import pathlib
from typing import Any, Dict, FrozenSet, List, Optional, Tuple

from hotpath import boards
from hotpath.kernels.commands import make
from hotpath.kernels.errors import NotOnGpu
from hotpath.runtime import engines
from hotpath.runtime.errors import BadNetwork, HotpathError
from hotpath.runtime.network import Network

Verdicts = List[Tuple[str, str]]  # (name of an engine or title of a board, sentence)

# The first TensorRT that imports a convolution with a tensor as weights (NVIDIA/TensorRT#137,
# onnx/onnx-tensorrt#609). For older ones the correlation is cut out.
TENSOR_WEIGHTS_FROM = (8, 5, 1)
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
            searches = network.lost_below > 0 and network.found_above > 0
            return "crop, network and select on the GPU" + (SEARCH if searches else "")
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
    """Run a network once in each installed engine: its name, and a sentence.

    ``paths`` is a dict of part -> path, as ``network.locate()`` gives it.
    """
    results = []
    for name in engines.names():
        if not engines.find(name).runs_files:
            continue
        if not engines.find(name).is_installed():
            results.append((name, "not installed"))
            continue
        try:
            engine = engines.create(name, network, paths)
            features = engine.exemplar()
            engine.search(features if len(paths) > 1 or "whole" in paths else ())
            sentence = "runs on {device}, {precision}, {version}".format(**engine.describe())
            results.append((name, sentence))
            engine.close()
        except HotpathError as error:
            results.append((name, f"can't: {error}"))
    return results


def on_boards(graphs: Any, operators: FrozenSet[str]) -> Verdicts:
    """Say for each board what is known to prevent a network from running there.

    Args:
        graphs: its ``assemble.Graphs``.
        operators: those that the FPGA's compiler reads.
    """
    taken, named = _taken_out(graphs), map(boards.load_board, boards.names())
    return [(board.title, _verdict(board, graphs.search, taken, operators)) for board in named]


def _taken_out(graphs: Any) -> Optional[str]:
    """What happens to correlations that an old TensorRT can't import; None if there is none."""
    from hotpath.runtime.prepare.graphs import cut

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


def _verdict(
    board: boards.Board, search: Any, taken: Optional[str], operators: FrozenSet[str]
) -> str:
    if board.engine == "overlay":
        lacking = sorted({node.op_type for node in search.graph.node} - {"Constant"} - operators)
        if not lacking:
            return "no obstacle is known in the FPGA's engine"
        return "the FPGA's engine has no " + ", ".join(lacking)
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
