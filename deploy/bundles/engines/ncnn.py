"""Build for ncnn: pnnx converts the two graphs, in fp32 or fp16.

This runs on a computer; the bundle is then copied to the board or into an app.
"""

import importlib.util
import pathlib
import shutil
from typing import Callable, Dict

from hotpath.deploy.bundles.engines import converted
from hotpath.deploy.bundles.order import Order
from hotpath.deploy.errors import BuildFailed
from hotpath.kernels.commands import make
from hotpath.runtime import bundle

TIMEOUT_S = 300


def build(order: Order, say: Callable[[str], None]) -> bundle.Bundle:
    """Build the bundle.

    Raises:
        BuildFailed: there is no pnnx or no onnx, pnnx can't convert the network, or the precision
            is INT8.
    """
    if order.precision == "int8":
        raise BuildFailed(
            f"ncnn computes in fp32 and fp16; run `{order.command('fp32')}`, or add "
            "ENGINE=onnxruntime for INT8",
            what="precision",
        )
    program = _converter(order)

    def convert(part: converted.Part) -> Dict[str, str]:
        return _convert(program, part, order.precision)

    return converted.build(order, _version(), convert)


def _converter(order: Order) -> str:
    """Path of pnnx's program. Its Python package is not imported: that needs PyTorch."""
    spec = importlib.util.find_spec("pnnx")
    for folder in spec.submodule_search_locations or () if spec else ():
        program = pathlib.Path(folder) / "pnnx"
        if program.is_file():
            return str(program)
    raise BuildFailed(
        "pnnx, which converts networks for ncnn, is not installed; run "
        f"`{make('setup', ALSO='ncnn')}` on a computer, then `{order.command()}`",
        what="no converter",
    )


def _version() -> str:
    """Return the version of pnnx, which has the version of the ncnn that it converts for."""
    from importlib import metadata  # not in Python 3.6 and 3.7

    return metadata.version("pnnx")


def _convert(program: str, part: converted.Part, precision: str) -> Dict[str, str]:
    """Convert one model into the bundle's folder; returns the names of its files."""
    sides = ",".join("[{}]f32".format(",".join(map(str, shape))) for _, shape in part.inputs)
    work = part.folder / (part.name + "-work")
    work.mkdir()
    (work / "model.onnx").write_bytes(part.model.SerializeToString())
    command = [program, "model.onnx", "inputshape=" + sides]
    command += ["fp16={:d}".format(precision == "fp16")]
    _, text = converted.run_tool("pnnx", command, TIMEOUT_S, cwd=str(work))
    lines = [line for line in text.splitlines() if line.strip()]
    files = {}
    for ending in ("param", "bin"):
        output = work / ("model.ncnn." + ending)
        if not output.is_file():
            last = lines[-1] if lines else "it ended without a message"
            raise BuildFailed(f"pnnx can't convert the {part.name} of the network: {last}")
        files[ending] = f"{part.name}.{ending}"
        shutil.move(str(output), str(part.folder / files[ending]))
    shutil.rmtree(str(work))
    _check_operators((part.folder / files["param"]).read_text(), part.name)
    return files


def _check_operators(param: str, part: str) -> None:
    """Refuse an operator that pnnx passed on without knowing it: its name has a dot or a colon."""
    for line in param.splitlines()[2:]:
        kind = line.split()[0] if line.split() else ""
        if "." in kind or ":" in kind:
            raise BuildFailed(
                f"ncnn has no operator {kind}, which the {part} of the network needs; take another "
                "engine",
                what="unknown operator",
            )
