"""Cycles of a backbone on each size of the FPGA engine, or what the engine refuses."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import onnx

from calib import qdq, ranges
from calib.research.backbones.speed import picture
from calib.research.train.geometry import MEAN, SCALE
from kernels.fpga import design
from kernels.fpga.design import compiler
from kernels.fpga.design.compiler.layers import CannotCompile


def cycles(
    search: onnx.ModelProto, exemplar: onnx.ModelProto, sizes: Sequence[str] | None = None
) -> dict[str, Any]:
    """Compile a backbone for FPGA boards.

    Args:
        search, exemplar: ONNX backbones for the sides of both crops.
        sizes: list of sections of ``kernels/fpga/design/sizes.toml``; None for all.

    Returns:
        dict of board -> cycles of the search region, estimated by the compiler (int), or the
        sentence that says what the engine can't do (str).
    """
    models = {"exemplar": qdq.prepared(exemplar), "search": qdq.prepared(search)}
    measured = {name: _ranges(model) for name, model in models.items()}
    network = SimpleNamespace(
        name="backbone", mean=(MEAN,) * 3, scale=(SCALE,) * 3, channels="BGR", score=None
    )
    found: dict[str, Any] = {}
    alike: dict[str, Any] = {}
    for name in sizes or design.sizes():
        size = repr(sorted(design.sizes()[name].items()))  # boards may share one
        if size not in alike:
            try:
                compiled = compiler.compile(network, models, measured, name)
                alike[size] = compiled.run["programs"]["search"]["cycles"]
            except CannotCompile as error:
                alike[size] = str(error)
        found[name] = alike[size]
    return found


def _ranges(model: onnx.ModelProto) -> dict[str, Any]:
    histograms = ranges.Histograms(model)
    (taken,) = model.graph.input
    histograms.add({taken.name: picture(taken.type.tensor_type.shape.dim[3].dim_value, 0)})
    return histograms.ranges("minmax")
