"""Prepare a TensorRT build off the board: cut and checked ONNX models, and scales.

This needs onnx, and ONNX Runtime for the check.
"""

import functools
import pathlib
import shutil
from typing import Any, Callable, Dict, List, Tuple

from boards.build import prepared, ranges
from boards.build.cut_check import check
from boards.build.order import Order
from boards.errors import BuildFailed
from runtime import bundle
from runtime.errors import BadNetwork

WITHOUT_ONNX = (
    "{} can't be prepared here, because this Python has no onnx; on a computer run `make engine "
    "BOARD={} NETWORK={} PRECISION={} HOST=user@this-board`"
)


def prepare(folder: pathlib.Path, order: Order, say: Callable[[str], None] = print) -> None:
    """Make a prepared folder.

    Args:
        folder: an existing one is replaced.
        order: what is to be built.
        say: function of one sentence.

    Raises:
        BadNetwork: the network's files don't fit together, or can't be cut.
        BuildFailed: there is no onnx or no table of ranges, or the parts don't equal the whole.
    """
    network = order.network
    try:
        from runtime.graphs import assemble, batch, convert, cut, search_features
    except ImportError:
        return _without_onnx(folder, order, say)
    paths = order.paths()
    graphs, seen = search_features.with_search_features(network, assemble.build(network, paths))
    graphs = graphs._replace(
        exemplar=convert.for_old_tensorrt(graphs.exemplar),
        search=convert.for_old_tensorrt(graphs.search),
    )
    quantised = convert.is_quantised(graphs.search)
    needs_scales = order.precision == "int8" and not quantised
    scales = ranges.scales(order, paths) if needs_scales else None
    forms = {"whole": cut.cut(graphs, ())}
    if cut.find(graphs, (cut.CONV,)):
        forms["cut"] = cut.cut(graphs, (cut.CONV,))
        check(graphs, forms["cut"], say)
    # of a lost target's search, which compares features; a cut network takes one at a time
    batches = order.windows > 1 and seen is not None
    windows = batch.several(graphs.search, order.windows) if batches else None
    values = {
        "network": bundle.identity(network, paths),
        "quantised": quantised,
        "seen": seen,
        "scales": scales.by_tensor if scales else None,
        "calibration_sha256": scales.sha256 if scales else None,
    }

    def put(place: pathlib.Path) -> Dict[str, Any]:
        shutil.copy(str(network.path), str(place / (network.name + ".toml")))
        half = _halving(order, convert)
        saved = {name: _save(place, name, form, seen, half, say) for name, form in forms.items()}
        if windows is not None:
            saved["whole"]["windows"] = _save_windows(place, windows, order.windows, half)
        return saved

    prepared.write(folder, dict(values, **prepared.for_board(order)), put)
    say("prepared {}: {} form{}".format(folder, len(forms), "s" if len(forms) > 1 else ""))


def _halving(order: Order, convert: Any) -> Any:
    """The function that converts a model to the types that TensorRT 11 takes, or None."""
    if order.precision == "fp16":
        return functools.partial(convert.to_float16, ends=order.half_tensors)
    return convert.with_half_ends if order.half_tensors else None


def _without_onnx(folder: pathlib.Path, order: Order, say: Callable[[str], None]) -> None:
    """Use what comes prepared with this program, as a board without onnx must."""
    source = prepared.shipped(order.network)
    if source is None:
        name, board = order.network.name, order.board.name
        raise BuildFailed(WITHOUT_ONNX.format(name, board, name, order.precision))
    prepared.from_shipped(source, folder, order)
    say(f"prepared {folder} from {source}")


def _save(
    folder: pathlib.Path,
    name: str,
    form: Any,
    seen: Any,
    half: Any,
    say: Callable[[str], None],
) -> Dict[str, Any]:
    """Write a form's models, and their versions for TensorRT 11 where ``half`` converts them."""
    kept: Dict[str, Any] = {
        "features": list(form.features),
        "maps": list(form.maps),
        "seen": seen,
        "steps": [[dict(step._asdict()) for step in steps] for steps in form.steps],
        "shapes": _shapes(form),
    }
    models: List[Tuple[str, Any]] = [("exemplar", form.exemplar)]
    models += [(f"search{index}", part) for index, part in enumerate(form.parts)]
    kept["models"] = [_write(folder, f"{name}-{part}", m) for part, m in models]
    if half is not None:
        try:
            halves = [(f"{name}-{part}-half", half(model)) for part, model in models]
            kept["half"] = [_write(folder, file, model) for file, model in halves]
        except BadNetwork as error:
            say(f"TensorRT 11 can't run it with float16: {error}")
    return kept


def _save_windows(folder: pathlib.Path, model: Any, count: int, half: Any) -> Dict[str, Any]:
    """Write the model of several windows, as ``_save`` writes that of one."""
    kept: Dict[str, Any] = {
        "count": count,
        "model": _write(folder, "whole-windows", model),
    }
    if half is not None:
        try:
            kept["half"] = _write(folder, "whole-windows-half", half(model))
        except BadNetwork:
            pass  # the model of one window has told it
    return kept


def _write(folder: pathlib.Path, name: str, model: Any) -> str:
    (folder / (name + ".onnx")).write_bytes(model.SerializeToString())
    return name + ".onnx"


def _shapes(form: Any) -> Dict[str, List[int]]:
    """Return the shape of every tensor that passes between parts, with pictures and maps."""
    shapes = {}
    for model in [form.exemplar] + list(form.parts):
        for value in list(model.graph.input) + list(model.graph.output):
            shapes[value.name] = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
    for steps in form.steps:
        for step in steps:
            for name in (step.search, step.exemplar, step.out):
                shapes[name] = list(form.shapes[name])
    return shapes
