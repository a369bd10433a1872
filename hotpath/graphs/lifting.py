"""Reads a network's files as they enter, and brings all of them to one opset, 13 or newer.

PyTorch 1.0 to 1.12 exports opsets 9 to 12. ``onnx.version_converter`` writes their operators anew,
and nothing rewrites them later. onnxscript's converter begins with opset 18, so it is no help.
Where onnx 1.23.2 is not right:

- Resize of opset 10 and Upsample, linear: it gives them half pixels, but they have none
  (onnx/onnx#8480). ``_keep_coordinates`` writes what they mean.
- Hardmax: in old opsets it has another axis. It is refused; no tracker here has it.
- BatchNormalization with ``spatial = 0``: the converter refuses it.

``nogpu_tests/test_lifting.py`` compares each operator of each opset with ONNX Runtime's result of
the export.
"""

import pathlib
from typing import Any, Dict, Mapping, TypeVar, Union

from onnx import ModelProto, helper, version_converter

from hotpath.graphs import models, normalise
from hotpath.runtime.errors import BadNetwork

AnyPath = Union[str, pathlib.Path]
OPSET = 13  # TensorRT 8.2 of a Nano ends here; the first whose DequantizeLinear has an axis
ANEW = f"export it with opset {OPSET} or newer"

Key = TypeVar("Key")


def enter(paths: Mapping[Key, Any]) -> Dict[Key, ModelProto]:
    """Read a network's files: float32, of one opset.

    Args:
        paths: dict of a part, or anything else, -> path.

    Raises:
        BadNetwork: a file is no ONNX or not Q/DQ, or it can't be lifted.
    """
    files = {key: normalise.to_float32(models.read(path)) for key, path in paths.items()}
    for key, model in files.items():
        if any(node.op_type == "QLinearConv" for node in model.graph.node):
            raise BadNetwork(
                f"{paths[key]} is quantised by operators such as QLinearConv, which only ONNX "
                "Runtime knows; quantise the network in the format Q/DQ",
                what="not Q/DQ",
            )
        models.replace(model.graph.input, models.inputs(model))
        model.ir_version = max(model.ir_version, 4)  # before, a constant had to be an input too
    newest = max([OPSET, *map(models.opset, files.values())])
    for key, model in files.items():
        if models.opset(model) != newest:
            files[key] = lift_to_opset(model, newest, paths[key])
    return {key: models.without_constant_nodes(model) for key, model in files.items()}


def lift_to_opset(model: ModelProto, opset: int, path: AnyPath) -> ModelProto:
    """A copy in another opset."""
    before = models.opset(model)
    try:
        if before < 13 and any(node.op_type == "Hardmax" for node in model.graph.node):
            raise ValueError("Hardmax has another axis there")
        lifted: ModelProto = version_converter.convert_version(model, opset)
    except Exception as error:  # the converter's classes differ by version
        raise BadNetwork(
            f"{path}: opset {before} can't be brought to opset {opset} ({_reason(error)}); {ANEW}",
            what="not lifted",
        ) from None
    if before < 11:
        _keep_coordinates(model, lifted)
    return lifted


def _keep_coordinates(model: ModelProto, lifted: ModelProto) -> None:
    """Let each linear Resize of opset 10 and Upsample sample where it did; in place."""
    key = "coordinate_transformation_mode"
    before = [node for node in model.graph.node if node.op_type in ("Resize", "Upsample")]
    after = [node for node in lifted.graph.node if node.op_type == "Resize"]  # of other names
    for old, new in zip(before, after):
        if models.attributes(old).get("mode", b"nearest") == b"linear":
            models.replace(new.attribute, [a for a in new.attribute if a.name != key])
            new.attribute.append(helper.make_attribute(key, "asymmetric"))


def _reason(error: BaseException) -> str:
    """The words of a library's error, in one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__
