"""Which engines and boards can run a network: tried where an engine is here, else reasoned."""

import boards
from runtime import engines
from runtime.errors import BadNetwork, HotpathError
from runtime.graphs import cut

# A convolution whose weights are a tensor, the exemplar's features, is imported from this on
# (NVIDIA/TensorRT#137, onnx/onnx-tensorrt#609); for older ones the correlation is cut out.
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


def on_boards(graphs):
    """What is known to stand against a network on every board.

    Args:
        graphs: its ``engines.graph.Graphs``.

    Returns:
        list of (title, sentence).
    """
    taken = _taken_out(graphs)
    return [(board.title, _verdict(board, graphs.search, taken)) for board in _boards()]


def _taken_out(graphs):
    """What becomes of correlations that a TensorRT can't import: a sentence, None without any."""
    if not cut.find(graphs, (cut.CONV,)):
        return None
    try:
        form = cut.cut(graphs, (cut.CONV,))
    except BadNetwork as error:
        return "can't run: {}".format(error)
    count = sum(len(steps) for steps in form.steps)
    return "cut at its {}, which our kernels run".format(
        "correlation" if count == 1 else "{} correlations".format(count)
    )


def _boards():
    return [boards.load_board(name) for name in boards.names()]


def _verdict(board, search, taken):
    if board.engine == "overlay":
        return "needs an overlay that knows " + ", ".join(_operators(search))
    if board.engine != "tensorrt":
        return "by {}, see above".format(board.engine)
    versions = sorted(_version(release.get("tensorrt")) for release in board.software.values())
    if taken is None or not versions or versions[0] >= TENSOR_WEIGHTS_FROM:
        return "nothing is known to stand against it in TensorRT"
    if versions[-1] < TENSOR_WEIGHTS_FROM:
        return taken
    return "whole from TensorRT {}.{}.{} on; before it {}".format(*TENSOR_WEIGHTS_FROM + (taken,))


def _operators(search):
    return sorted({node.op_type for node in search.graph.node} - {"Constant"})


def _version(text):
    parts = [int(part) if part.isdigit() else 0 for part in (text or "0").split(".")]
    return tuple((parts + [0, 0])[:3])
