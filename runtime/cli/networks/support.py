"""Which engines and boards can run a network.

Installed engines are tried. What boards can run follows from the graph's operators.
"""

import pathlib
from typing import Dict, List, Optional, Tuple

from onnx import ModelProto

import boards
from kernels.fpga.design.compiler.graph import OPERATORS
from runtime import engines
from runtime.errors import BadNetwork, HotpathError
from runtime.graphs import cut
from runtime.graphs.assemble import Graphs
from runtime.network import Network

Verdicts = List[Tuple[str, str]]

# The first TensorRT that imports a convolution with a tensor as weights (NVIDIA/TensorRT#137,
# onnx/onnx-tensorrt#609). For older ones the correlation is cut out.
TENSOR_WEIGHTS_FROM = (8, 5, 1)


def on_engines(network: Network, paths: Dict[str, pathlib.Path]) -> Verdicts:
    """Run a network once in each installed engine.

    Args:
        network: the ``Network``.
        paths: dict of part -> path, as ``network.locate()`` gives it.

    Returns:
        list of (name, sentence).
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
            results.append(
                (name, "runs on {device}, {precision}, {version}".format(**engine.describe()))
            )
            engine.close()
        except HotpathError as error:
            results.append((name, f"can't: {error}"))
    return results


def on_boards(graphs: Graphs) -> Verdicts:
    """Say for each board what is known to prevent a network from running there.

    Args:
        graphs: its ``assemble.Graphs``.

    Returns:
        list of (title, sentence).
    """
    taken = _taken_out(graphs)
    return [(board.title, _verdict(board, graphs.search, taken)) for board in _boards()]


def _taken_out(graphs: Graphs) -> Optional[str]:
    """What happens to correlations that an old TensorRT can't import; None where there is none."""
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


def _boards() -> List[boards.Board]:
    return [boards.load_board(name) for name in boards.names()]


def _verdict(board: boards.Board, search: ModelProto, taken: Optional[str]) -> str:
    if board.engine == "overlay":
        lacking = sorted(set(_operators(search)) - OPERATORS)
        if not lacking:
            return "no obstacle is known in the FPGA's engine"
        return "the FPGA's engine has no " + ", ".join(lacking)
    if board.engine != "tensorrt":
        is_tried = engines.find(board.engine).runs_files
        command = f"`make engine BOARD={board.name}` converts it"
        return "by {}{}".format(board.engine, ", see above" if is_tried else "; " + command)
    versions = sorted(_version(release.get("tensorrt")) for release in board.software.values())
    if taken is None or not versions or versions[0] >= TENSOR_WEIGHTS_FROM:
        return "no obstacle is known in TensorRT"
    if versions[-1] < TENSOR_WEIGHTS_FROM:
        return taken
    return "whole from TensorRT {}.{}.{} on; before it {}".format(*TENSOR_WEIGHTS_FROM + (taken,))


def _operators(search: ModelProto) -> List[str]:
    return sorted({node.op_type for node in search.graph.node} - {"Constant"})


def _version(text: Optional[str]) -> Tuple[int, ...]:
    parts = [int(part) if part.isdigit() else 0 for part in (text or "0").split(".")]
    return tuple((parts + [0, 0])[:3])
