"""Which engines and boards can run a network: tried where an engine is here, else reasoned."""

import boards
from runtime import engines
from runtime.errors import HotpathError

# A convolution whose weights are a tensor, the exemplar's features, is imported from this on
# (NVIDIA/TensorRT#137, onnx/onnx-tensorrt#609); older ones need the correlation cut out.
TENSOR_WEIGHTS_FROM = (8, 5, 1)


def on_engines(network, paths):
    """Run a network once in every installed engine.

    Args:
        network: the ``Network``.
        paths: dict of part -> path, as ``network.locate()`` gives it.

    Returns:
        list of (name, sentence).
    """
    results = []
    for name in engines.PREFERENCE:
        if name not in engines.installed():
            results.append((name, "not installed"))
            continue
        try:
            engine = engines.create(name, network, paths)
            features = engine.exemplar()
            engine.search(features if len(paths) > 1 or "whole" in paths else ())
            results.append((name, "runs on {device}, {precision}, {version}".format(
                **engine.describe())))  # fmt: skip
            engine.close()
        except HotpathError as error:
            results.append((name, "can't: {}".format(error)))
    return results


def on_boards(search):
    """What is known to stand against a network on every board.

    Args:
        search: ONNX model of a frame (``engines.graph.build``).

    Returns:
        list of (title, sentence).
    """
    return [(board.title, _verdict(board, search)) for board in _boards()]


def _boards():
    return [boards.load_board(name) for name in boards.names()]


def _verdict(board, search):
    if board.engine == "overlay":
        return "needs an overlay that knows " + ", ".join(_operators(search))
    if board.engine != "tensorrt":
        return "by {}, see above".format(board.engine)
    versions = sorted(_version(release.get("tensorrt")) for release in board.software.values())
    if not versions or not _tensor_weights(search):
        return "nothing is known to stand against it in TensorRT"
    if versions[-1] < TENSOR_WEIGHTS_FROM:
        return "not whole: its TensorRT takes no exemplar as a convolution's weights"
    return "from TensorRT {}.{}.{} on: the exemplar is a convolution's weights".format(
        *TENSOR_WEIGHTS_FROM
    )


def _tensor_weights(search):
    """Whether a convolution's weights come from the exemplar."""
    inputs = {value.name for value in search.graph.input}
    return any(n.op_type == "Conv" and n.input[1] in inputs for n in search.graph.node)


def _operators(search):
    return sorted({node.op_type for node in search.graph.node} - {"Constant"})


def _version(text):
    parts = [int(part) if part.isdigit() else 0 for part in (text or "0").split(".")]
    return tuple((parts + [0, 0])[:3])
