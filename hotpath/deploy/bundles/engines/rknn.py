"""Build for the NPU of an RK3588: Rockchip's toolkit converts the two graphs, in its own Python.

The toolkit (rknn-toolkit2, x86-64) needs older libraries than this project, so ``make rknn`` sets
up an environment for it.
"""

import json
import os
import pathlib
import tempfile
from typing import Any, Callable, Dict

from hotpath.deploy.bundles.engines import converted
from hotpath.deploy.bundles.order import Order
from hotpath.deploy.errors import BuildFailed
from hotpath.runtime.networks import bundle

PYTHON = pathlib.Path(__file__).resolve().parents[4] / ".cache" / "rknn" / "bin" / "python"
PROGRAM = pathlib.Path(__file__).with_name("rknn_convert.py")
PLATFORM = "rk3588"
TIMEOUT_S = 1200


def build(order: Order, say: Callable[[str], None]) -> bundle.Bundle:
    """Build the bundle.

    Raises:
        BuildFailed: the toolkit is not installed or can't convert the network, the precision is
            fp32, or there is no table of ranges for INT8.
    """
    if order.precision == "fp32":
        raise BuildFailed(
            f"the NPU computes in fp16 and INT8; run `{order.command('int8')}`, or add ENGINE=ncnn "
            "for the cores",
            what="precision",
        )
    if not PYTHON.is_file():
        raise BuildFailed(
            "rknn-toolkit2, which converts networks for the NPU, is not installed; read its "
            f"licence, run `make rknn` (x86-64, 6 GB), then `{order.command()}`",
            what="no converter",
        )
    version = _run("-c", "from importlib import metadata; print(metadata.version('rknn-toolkit2'))")

    def convert(part: converted.ModelToConvert) -> Dict[str, str]:
        with tempfile.TemporaryDirectory() as work:
            _run(str(PROGRAM), request(part, order.precision, work))
        say(f"{part.name}: converted by rknn-toolkit2 {version.strip()}")
        return {"model": part.name + ".rknn"}

    return converted.build(order, version.strip(), convert)


def request(part: converted.ModelToConvert, precision: str, work: str) -> str:
    """Write what ``rknn_convert`` converts.

    Args:
        part: the ``ModelToConvert``; its .rknn will be in ``part.folder``.
        precision: "fp16" or "int8".
        work: folder for the files.

    Returns:
        Path of the request, a JSON file.
    """
    model = os.path.join(work, part.name + ".onnx")
    with open(model, "wb") as file:
        file.write(part.model.SerializeToString())
    values: Dict[str, Any] = {
        "model": model,
        "out": str(part.folder / (part.name + ".rknn")),
        "platform": PLATFORM,
        "precision": precision,
        "shapes": dict(part.inputs),
    }
    if part.table is not None:
        from hotpath.graphs import quantisable
        from hotpath.graphs import table as tables

        kept = set(part.table["keep"]) | set(part.table["last"])
        nodes = quantisable.prepare_for_quantiser(part.model).graph.node
        values["ranges"] = {k: list(v) for k, v in tables.ranges(part.table, part.name).items()}
        values["float_layers"] = [n.output[0] for n in nodes if quantisable.base(n.name) in kept]
    path = os.path.join(work, "request.json")
    with open(path, "w") as text:
        json.dump(values, text)
    return path


def _run(*words: str) -> str:
    """Return what the toolkit's Python prints.

    Raises:
        BuildFailed: it fails; the text has its last lines.
    """
    environ = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    command = [str(PYTHON), "-I", *words]  # -I: this folder has an rknn.py too
    code, text = converted.run_tool("rknn-toolkit2", command, TIMEOUT_S, env=environ)
    if code:
        lines = [line for line in text.replace("\r", "\n").splitlines() if line.strip()]
        raise BuildFailed(
            f"rknn-toolkit2 failed: {' / '.join(lines[-3:])}", what="converter failed"
        )
    return text
