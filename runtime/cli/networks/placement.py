"""Which part of a frame runs where on each board: crop, network, select.

It follows from the network's TOML and the board's; neither files nor the board are needed. Where a
board has no C++ compiler, NumPy and OpenCV do what is said to run in C++.
"""

from typing import List, Optional, Tuple

import boards
from kernels.errors import NotOnGpu
from runtime.network import Network

SEARCH = "; a lost target's windows on the GPU too, judged on the processor"


def on_boards(network: Network) -> List[Tuple[str, str]]:
    """Say for each board which part of a frame runs where.

    Args:
        network: the ``Network``.

    Returns:
        list of (title, sentence).
    """
    return [(board.title, _sentence(board, network)) for board in _boards()]


def _boards() -> List[boards.Board]:
    return [boards.load_board(name) for name in boards.names()]


def _sentence(board: boards.Board, network: Network) -> str:
    learns = network.family == "response" and network.filter == "ridge"
    select = "select in NumPy" if learns else "select in C++"
    on_processor = f"crop in C++ and {select}" if learns else "crop and " + select
    on_processor += " on the processor"
    if board.engine in ("tensorrt", "onnxruntime_gpu"):
        why = why_not_on_gpu(network)
        if why is None:
            return "crop, network and select on the GPU" + (SEARCH if _searches(network) else "")
        return f"network on the GPU; {on_processor}, because {why}"
    if board.engine == "overlay":
        if network.resample == "warp":
            return "not in the FPGA: it crops windows of whole pixels, not resample = 'warp'"
        return f"crop and network in the FPGA, if it has their operators; {select} on the processor"
    return "network on the processor; " + on_processor


def _searches(network: Network) -> bool:
    """Whether a lost target is searched for, if the graph shows features."""
    return network.lost_below > 0 and network.found_above > 0


def why_not_on_gpu(network: Network) -> Optional[str]:
    """Why crop and select of a network do not run on a GPU; None where they do."""
    from runtime.devices.gpu import frame_settings

    try:
        frame_settings(network)
    except NotOnGpu as error:
        reason = str(error).split("; ")[0]  # what follows is what to run instead
        name = network.name + ": "
        return reason[len(name) :] if reason.startswith(name) else reason
    return None
