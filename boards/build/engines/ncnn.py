"""Build for ncnn: pnnx converts the two graphs, and INT8 takes the network's table of ranges.

This runs on a computer; the bundle is then copied to the board or into an app.
"""

import importlib.util
import pathlib
import shutil
import subprocess
from typing import Any, Callable, Dict, List, Optional

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
        BuildFailed: pnnx is not installed or can't convert the network, or there is no table of
            ranges for INT8.
    """
    paths = order.paths()
    program = _converter(order)
    try:
        from runtime.graphs import assemble, search_features
    except ImportError as error:
        raise BuildFailed(
            "a bundle for ncnn is built on a computer with onnx ({}); run `{}` there and copy {} "
            "to the board".format(error, order.command(), order.target)
        ) from None
    built = assemble.build(order.network, paths)
    graphs, features = search_features.with_search_features(order.network, built)
    table = None
    if order.precision == "int8":
        table = ranges.read(order, paths, order.table_or_shipped())
    with Writer(order.target) as writer:
        models: Dict[str, Any] = {}
        for part in PARTS:
            model = getattr(graphs, part)
            models[part] = _convert(program, writer.folder, part, model, order.precision)
            if table is not None:
                names = ncnn_int8.quantise(writer.folder, part, model, table.values)
                say("{}: {} convolutions in INT8".format(part, len(names)))
        shutil.copy(str(order.network.path), str(writer.folder / (order.network.name + ".toml")))
        return writer.finish(
            {
                "network": bundle.identity(order.network, paths),
                "board": order.board.name,
                "engine": "ncnn",
                "precision": order.precision,
                "libraries": {"ncnn": _version()},
                "compute_capability": None,
                "calibration_sha256": table.sha256 if table else None,
                "settings": {},
                "run": {
                    "models": models,
                    "features": list(graphs.features),
                    "maps": list(graphs.maps),
                    "search_features": features,
                },
            }
        )


def _converter(order: Order) -> str:
    """Path of pnnx's program. Its Python package is not imported: that needs PyTorch."""
    spec = importlib.util.find_spec("pnnx")
    for folder in spec.submodule_search_locations or () if spec else ():
        program = pathlib.Path(folder) / "pnnx"
        if program.is_file():
            return str(program)
    raise BuildFailed(
        "pnnx, which converts networks for ncnn, is not installed; run `pip install pnnx` on a "
        "computer, then `{}`".format(order.command())
    )


def _version() -> str:
    """Of pnnx, which has the version of the ncnn that it converts for."""
    from importlib import metadata  # not in Python 3.6 and 3.7

    return metadata.version("pnnx")


def _convert(
    program: str, folder: pathlib.Path, part: str, model: Any, precision: str
) -> Dict[str, Any]:
    """Convert one model into the folder; returns its entry of ``run.models``."""
    inputs, outputs = (_shapes(values) for values in (model.graph.input, model.graph.output))
    sides = ",".join("[{}]f32".format(",".join(map(str, shape))) for _, shape in inputs)
    work = folder / (part + "-work")
    work.mkdir()
    (work / "model.onnx").write_bytes(model.SerializeToString())
    command = [program, "model.onnx", "inputshape=" + sides]
    command += ["fp16={:d}".format(precision == "fp16")]
    text = _run(command, work)
    for ending in ("param", "bin"):
        made = work / ("model.ncnn." + ending)
        if not made.is_file():
            raise BuildFailed(
                "pnnx can't convert the {} of the network: {}".format(part, _last_line(text))
            )
        shutil.move(str(made), str(folder / "{}.{}".format(part, ending)))
    shutil.rmtree(str(work))
    _check_operators((folder / (part + ".param")).read_text(), part)
    files = {"param": part + ".param", "bin": part + ".bin"}
    return dict(files, inputs=inputs, outputs=outputs)


def _run(command: List[str], folder: pathlib.Path) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=str(folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildFailed("pnnx does not run: {}".format(error)) from None
    return done.stdout.decode(errors="replace")


def _check_operators(param: str, part: str) -> None:
    """Refuse an operator that pnnx passed on without knowing it: its name has a dot or a colon."""
    for line in param.splitlines()[2:]:
        kind = line.split()[0] if line.split() else ""
        if "." in kind or ":" in kind:
            raise BuildFailed(
                "ncnn has no operator {}, which the {} of the network needs; take another "
                "engine".format(kind, part)
            )


def _shapes(values: Any) -> List[List[Any]]:
    """[name, shape] of each tensor, in the order that pnnx keeps."""
    return [[v.name, [dim.dim_value for dim in v.type.tensor_type.shape.dim]] for v in values]


def _last_line(text: str) -> Optional[str]:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it ended without a message"
