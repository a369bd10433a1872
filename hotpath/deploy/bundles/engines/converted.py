"""Code that the builders for ncnn and RKNN share: the two graphs and the bundle's entries."""

import pathlib
import subprocess
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from hotpath.base.messages import make_command
from hotpath.deploy.bundles import int8_scales
from hotpath.deploy.bundles.order import Order
from hotpath.deploy.bundles.writer import BundleWriter
from hotpath.deploy.errors import BuildFailed
from hotpath.graphs import canonical_models
from hotpath.runtime.networks import bundle

PARTS = ("exemplar", "search")


class ModelToConvert(NamedTuple):
    """One of the two graphs, for a converter.

    Attributes:
        name: "exemplar" or "search".
        model: the ONNX model.
        inputs, outputs: [name, shape] of each tensor, in the model's order.
        table: table of ranges (``hotpath.graphs.table``) for INT8, or None.
        folder: where its files are written.
    """

    name: str
    model: Any
    inputs: List[List[Any]]
    outputs: List[List[Any]]
    table: Optional[Dict[str, Any]]
    folder: pathlib.Path


def build(
    order: Order, version: str, convert: Callable[[ModelToConvert], Dict[str, str]]
) -> bundle.Bundle:
    """Build a bundle of two converted graphs.

    Args:
        order: what is to be built.
        version: version of the converter.
        convert: function of a ``ModelToConvert`` that writes its files, and returns their names by
            key.

    Raises:
        BuildFailed: there is no onnx, or no table of ranges for INT8; or what ``convert`` raises.
    """
    paths = order.paths()
    try:
        graphs = canonical_models.models(order.network, paths)
    except ImportError as error:
        raise BuildFailed(
            f"a bundle for {order.engine} is built on a computer with onnx ({error}); there, run "
            f"`{make_command('setup', ALSO='host')}`, then `{order.command()}`, and copy "
            f"{order.target} to the board"
        ) from None
    table, digest = None, None
    if order.precision == "int8":
        table, digest = int8_scales.read(order, paths, order.table())
    with BundleWriter(order.target) as writer:
        models: Dict[str, Any] = {}
        for name in PARTS:
            model = getattr(graphs, name)
            inputs, outputs = _shapes(model.graph.input), _shapes(model.graph.output)
            files = convert(ModelToConvert(name, model, inputs, outputs, table, writer.folder))
            models[name] = dict(files, inputs=inputs, outputs=outputs)
        run = {
            "models": models,
            "features": list(graphs.features),
            "maps": list(graphs.maps),
            "search_features": graphs.search_features,
        }
        libraries = {order.engine: version}
        values = order.entries(paths, libraries=libraries, calibration_sha256=digest, run=run)
        return writer.finish(values, order.network.path)


def run_tool(name: str, command: Sequence[str], timeout_s: float, **more: Any) -> Tuple[int, str]:
    """Run a converter's program; returns (exit code, all that it printed).

    Raises:
        BuildFailed: it can't be started, or takes too long.
    """
    out = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    try:
        done = subprocess.run(command, timeout=timeout_s, **dict(out, **more))
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildFailed(f"{name} does not run: {error}") from None
    return done.returncode, done.stdout.decode(errors="replace")


def _shapes(values: Any) -> List[List[Any]]:
    """[name, shape] of each tensor, in the model's order."""
    return [[v.name, [dim.dim_value for dim in v.type.tensor_type.shape.dim]] for v in values]
