"""Build for ncnn: pnnx converts the two graphs, and INT8 takes the network's table of ranges.

This runs on a computer; the bundle is then copied to the board or into an app.
"""

import importlib.util
import pathlib
import shutil
import subprocess
from typing import Any, Callable, Dict, List

from boards.build import ranges
from boards.build.engines import ncnn_int8
from boards.build.order import Order
from boards.build.writer import Writer
from boards.errors import BuildFailed
from runtime import bundle

PARTS = ("exemplar", "search")
TIMEOUT_S = 300


def build(order: Order, say: Callable[[str], None]) -> bundle.Bundle:
    """Build the bundle.

    Raises:
        BuildFailed: there is no pnnx or no onnx, pnnx can't convert the network, or there is no
            table of ranges for INT8.
    """
    program, paths = _converter(order), order.paths()
    try:
        from runtime.graphs import assemble
    except ImportError as error:
        raise BuildFailed(
            f"a bundle for {order.engine} is built on a computer with onnx ({error}); run "
            f"`{order.command()}` there and copy {order.target} to the board"
        ) from None
    built = assemble.build(order.network, paths)
    graphs = assemble.with_search_features(order.network, built)
    table, digest = None, None
    if order.precision == "int8":
        table, digest = ranges.read(order, paths, order.table_or_shipped())
    with Writer(order.target) as writer:
        models: Dict[str, Any] = {}
        for name in PARTS:
            model = getattr(graphs, name)
            inputs, outputs = _shapes(model.graph.input), _shapes(model.graph.output)
            files = _convert(program, name, model, inputs, writer.folder, order.precision)
            models[name] = dict(files, inputs=inputs, outputs=outputs)
            if table is not None:
                layers = ncnn_int8.quantise(writer.folder, name, model, table)
                say(f"{name}: {len(layers)} convolutions in INT8")
        run = {
            "models": models,
            "features": list(graphs.features),
            "maps": list(graphs.maps),
            "search_features": graphs.search_features,
        }
        libraries = {order.engine: _version()}
        values = order.entries(paths, libraries=libraries, calibration_sha256=digest, run=run)
        return writer.finish(values, order.network.path)


def _shapes(values: Any) -> List[List[Any]]:
    """[name, shape] of each tensor, in the model's order."""
    return [[v.name, [dim.dim_value for dim in v.type.tensor_type.shape.dim]] for v in values]


def _converter(order: Order) -> str:
    """Path of pnnx's program. Its Python package is not imported: that needs PyTorch."""
    spec = importlib.util.find_spec("pnnx")
    for folder in spec.submodule_search_locations or () if spec else ():
        program = pathlib.Path(folder) / "pnnx"
        if program.is_file():
            return str(program)
    raise BuildFailed(
        "pnnx, which converts networks for ncnn, is not installed; run `pip install pnnx` on a "
        f"computer, then `{order.command()}`"
    )


def _version() -> str:
    """Of pnnx, which has the version of the ncnn that it converts for."""
    from importlib import metadata  # not in Python 3.6 and 3.7

    return metadata.version("pnnx")


def _convert(
    program: str,
    name: str,
    model: Any,
    inputs: List[List[Any]],
    folder: pathlib.Path,
    precision: str,
) -> Dict[str, str]:
    """Convert one model into the bundle's folder; returns the names of its files."""
    sides = ",".join("[{}]f32".format(",".join(map(str, shape))) for _, shape in inputs)
    work = folder / (name + "-work")
    work.mkdir()
    (work / "model.onnx").write_bytes(model.SerializeToString())
    command = [program, "model.onnx", "inputshape=" + sides]
    command += ["fp16={:d}".format(precision == "fp16")]
    try:
        done = subprocess.run(
            command,
            cwd=str(work),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildFailed(f"pnnx does not run: {error}") from None
    text = done.stdout.decode(errors="replace")
    lines = [line for line in text.splitlines() if line.strip()]
    files = {}
    for ending in ("param", "bin"):
        made = work / ("model.ncnn." + ending)
        if not made.is_file():
            last = lines[-1] if lines else "it ended without a message"
            raise BuildFailed(f"pnnx can't convert the {name} of the network: {last}")
        files[ending] = f"{name}.{ending}"
        shutil.move(str(made), str(folder / files[ending]))
    shutil.rmtree(str(work))
    _check_operators((folder / files["param"]).read_text(), name)
    return files


def _check_operators(param: str, part: str) -> None:
    """Refuse an operator that pnnx passed on without knowing it: its name has a dot or a colon."""
    for line in param.splitlines()[2:]:
        kind = line.split()[0] if line.split() else ""
        if "." in kind or ":" in kind:
            raise BuildFailed(
                f"ncnn has no operator {kind}, which the {part} of the network needs; take another "
                "engine"
            )
