"""Build for the NPU of an RK3588: Rockchip's toolkit converts the two graphs, in its own Python.

The toolkit (rknn-toolkit2, x86-64) needs other versions of the libraries than this project. So it
stands in an environment of its own, which ``make rknn`` sets up.
"""

import json
import os
import pathlib
import tempfile
from typing import Any, Callable, Dict, Optional

from boards.build.engines import converted
from boards.build.order import Order
from boards.errors import BuildFailed
from runtime import bundle

ROOT = pathlib.Path(__file__).resolve().parents[3]
PYTHON = ROOT / ".cache" / "rknn" / "venv" / "bin" / "python"
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
            "for the cores"
        )
    version = toolkit_version()

    def convert(part: converted.Part) -> Dict[str, str]:
        name = part.name + ".rknn"
        run_toolkit(part, order.precision, part.folder / name)
        say(f"{part.name}: converted by rknn-toolkit2 {version}")
        return {"model": name}

    return converted.build(order, version, convert)


def toolkit_version() -> str:
    """The version of the toolkit.

    Raises:
        BuildFailed: it is not installed.
    """
    if not PYTHON.is_file():
        raise BuildFailed(
            "rknn-toolkit2, which converts networks for the NPU, is not installed; run `make rknn` "
            "in a checkout on an x86-64 computer (4 GB)"
        )
    code = "from importlib import metadata; print(metadata.version('rknn-toolkit2'))"
    return _run([str(PYTHON), "-c", code]).strip()


def run_toolkit(
    part: converted.Part,
    precision: str,
    out: pathlib.Path,
    simulate: Optional[Dict[str, str]] = None,
) -> None:
    """Convert one graph.

    Args:
        part: the ``Part``; files are written beside ``out`` and removed.
        precision: "fp16" or "int8".
        out: path of the .rknn.
        simulate: {"inputs": path of a .npz, "outputs": path}, to run it in the toolkit's simulator
            too; see ``rknn_convert``. None for no run.

    Raises:
        BuildFailed: the toolkit fails.
    """
    with tempfile.TemporaryDirectory() as work:
        model = os.path.join(work, part.name + ".onnx")
        with open(model, "wb") as file:
            file.write(part.model.SerializeToString())
        request: Dict[str, Any] = {
            "model": model,
            "out": str(out),
            "platform": PLATFORM,
            "precision": precision,
            "shapes": dict(part.inputs),
            "ranges": {},
            "float_layers": [],
            "simulate": simulate,
        }
        if part.table is not None:
            request.update(_quantisation(part))
        path = os.path.join(work, "request.json")
        with open(path, "w") as text:
            json.dump(request, text)
        _run([str(PYTHON), "-I", str(PROGRAM), path])  # -I: this folder has an rknn.py too
    if not out.is_file():
        raise BuildFailed(f"rknn-toolkit2 wrote no model of the {part.name}")


def _quantisation(part: converted.Part) -> Dict[str, Any]:
    """The ranges of a graph's tensors, and the tensors of layers that stay in float16."""
    from calib import qdq
    from calib import table as tables

    assert part.table is not None
    kept = set(part.table["keep"]) | set(part.table["last"])
    nodes = qdq.prepared(part.model).graph.node
    return {
        "ranges": {k: list(v) for k, v in tables.ranges(part.table, part.name).items()},
        "float_layers": [node.output[0] for node in nodes if qdq.base(node.name) in kept],
    }


def _run(command: Any) -> str:
    """The output of the toolkit's Python.

    Raises:
        BuildFailed: it fails; the text has its last lines.
    """
    environ = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    code, text = converted.run_tool("rknn-toolkit2", command, TIMEOUT_S, env=environ)
    if code:
        lines = [line for line in text.replace("\r", "\n").splitlines() if line.strip()]
        raise BuildFailed(f"rknn-toolkit2 failed: {' / '.join(lines[-3:])}")
    return text
