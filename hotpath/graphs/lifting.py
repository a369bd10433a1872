"""Reads a network's files as they enter, and brings all of them to one opset, 13 or newer.

PyTorch 1.0 to 1.12 exports opsets 9 to 12. ``onnx.version_converter`` writes their operators anew,
and nothing rewrites them later. onnxscript's converter begins with opset 18, so it is no help.
Where onnx 1.23.2 is not right:

- Resize of opset 10 and Upsample, linear: it gives them half pixels, but they have none
  (onnx/onnx#8480). ``_keep_coordinates`` writes what they mean.
- Hardmax before an axis that is not the last: the proof refuses it.
- BatchNormalization with ``spatial = 0``: the converter refuses it.

The proof: ONNX Runtime computes the same from the export and the lifted graph.
"""

import pathlib
from types import ModuleType
from typing import Any, Dict, List, Mapping, NoReturn, Optional, Tuple, TypeVar, Union

import numpy as np
from onnx import (
    ModelProto,
    helper,
    numpy_helper,
    shape_inference,
    version_converter,
)

from hotpath.graphs import models, normalise
from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.network import NETWORKS, Network

AnyPath = Union[str, pathlib.Path]
OPSET = 13  # TensorRT 8.2 of a Nano ends here; the first whose DequantizeLinear has an axis
CLOSE = 1e-5  # of an output's largest number
DRAWS = 2  # of random inputs
SIDES = (128, 256)  # of exemplar and search region where neither file nor TOML says them
STRIDE = 16  # of features whose sides neither this file nor the one that makes them says
ANEW = f"export it with opset {OPSET} or newer"

Key = TypeVar("Key")


def enter(paths: Mapping[Key, Any], network: Optional[Network] = None) -> Dict[Key, ModelProto]:
    """Read a network's files: float32, of one opset.

    Args:
        paths: dict of a part, or anything else, -> path.
        network: says the sides of pictures that a file leaves open. The lift of a network that
            comes with Hotpath was proven when it was added.

    Raises:
        BadNetwork: a file is no ONNX or not Q/DQ, or it can't be lifted, or the proof fails.
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
    is_proven = network is not None and NETWORKS in network.path.parents
    sides = (network.exemplar, network.search) if network is not None else SIDES
    features: Dict[str, Tuple[int, ...]] = {}  # shapes of outputs, which later files read
    for key, model in files.items():
        if models.opset(model) != newest:
            later = lifted(model, newest, paths[key])
            of_file = (sides[0], sides[0]) if key == "exemplar" else sides
            features.update(_prove(model, later, of_file, features, paths[key], is_proven))
            files[key] = later
    return {key: models.without_constant_nodes(model) for key, model in files.items()}


def lifted(model: ModelProto, opset: int, path: AnyPath) -> ModelProto:
    """A copy in another opset."""
    before = models.opset(model)
    try:
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


def _prove(
    export: ModelProto,
    lifted: ModelProto,
    sides: Tuple[int, int],
    features: Mapping[str, Tuple[int, ...]],
    path: AnyPath,
    is_proven: bool,
) -> Dict[str, Tuple[int, ...]]:
    """Compare what ONNX Runtime computes from both. Return the shape of each output.

    Raises:
        BadNetwork: they differ, or ONNX Runtime can't run the export.
    """
    try:
        import onnxruntime
    except ImportError:
        if is_proven:
            return {}
        raise BadNetwork(
            f"{path} has opset {models.opset(export)}, and only ONNX Runtime can prove that it is "
            f"the same in opset {models.opset(lifted)}; run `pip install onnxruntime`, or {ANEW}",
            what="no proof",
        ) from None
    _check_sizes(export)
    feeds = [_random(export, sides, features, seed) for seed in range(DRAWS)]
    try:
        expected = [_run(onnxruntime, export, feed) for feed in feeds]
    except Exception as error:  # ONNX Runtime's classes derive from nothing else
        raise BadNetwork(
            f"{path}: ONNX Runtime {onnxruntime.__version__} can't run opset "
            f"{models.opset(export)} of it ({_reason(error)}), so nothing proves that it stays the "
            f"same in opset {models.opset(lifted)}; {ANEW}, and fixed shapes",
            what="no proof",
        ) from None
    try:
        results = [_run(onnxruntime, lifted, feed) for feed in feeds]
    except Exception as error:  # see above
        _refuse(export, lifted, path, _reason(error))
    for want, got in zip(expected, results):
        off = max((_off(*pair) for pair in zip(want, got)), default=0.0)
        if off > CLOSE:
            _refuse(export, lifted, path, f"{off:.1g} of its range off")
    return {value.name: array.shape for value, array in zip(export.graph.output, expected[0])}


def _check_sizes(model: ModelProto) -> None:
    """Raise ``BadNetwork`` for a tensor that would take more memory than any tracker's."""
    try:
        models.infer_shapes(models.copy(model))
    except shape_inference.InferenceError:  # what follows says what is wrong
        pass


def _refuse(export: ModelProto, lifted: ModelProto, path: AnyPath, why: str) -> NoReturn:
    raise BadNetwork(
        f"{path} is another network in opset {models.opset(lifted)} than in opset "
        f"{models.opset(export)} ({why}); {ANEW}",
        what="not lifted",
    )


def _run(
    onnxruntime: ModuleType, model: ModelProto, feed: Dict[str, np.ndarray]
) -> List[np.ndarray]:
    """The outputs, each operator as its opset defines it."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [value.name for value in session.get_inputs()]
    results: List[np.ndarray] = session.run(None, {name: feed[name] for name in names})
    return results


def _off(want: np.ndarray, got: np.ndarray) -> float:
    """The largest difference, as a share of the largest number; infinite for another shape."""
    if want.shape != got.shape or not np.array_equal(np.isfinite(want), np.isfinite(got)):
        return float("inf")
    finite = np.isfinite(want)
    first, second = (array[finite].astype(np.float64) for array in (want, got))
    if not first.size:
        return 0.0
    return float(np.abs(first - second).max() / max(np.abs(first).max(), 1e-9))


def _random(
    model: ModelProto, sides: Tuple[int, int], features: Mapping[str, Tuple[int, ...]], seed: int
) -> Dict[str, np.ndarray]:
    """Random inputs; zeros for those that are no floats."""
    random = np.random.RandomState(seed)
    feed = {}
    inputs = models.inputs(model)
    for place, value in enumerate(inputs):
        side = sides[place == len(inputs) - 1 or "search" in value.name]
        if not models.is_picture(value):
            side = -(-sides[place > 0] // STRIDE)
        declared = enumerate(models.shape_of(value))
        shape = [size or (side if axis > 1 else 1) for axis, size in declared]
        shape = list(features.get(value.name, shape))
        if float(np.prod(shape, dtype=np.float64)) > models.MOST_NUMBERS:
            raise BadNetwork(f"the input {value.name} of {shape} is too large", what="too large")
        kind = _numpy_type(value.type.tensor_type.elem_type)
        is_float = np.issubdtype(kind, np.floating)
        feed[value.name] = (random.normal(size=shape) if is_float else np.zeros(shape)).astype(kind)
    return feed


def _numpy_type(kind: int) -> Any:
    return numpy_helper.to_array(helper.make_tensor("none", kind, [0], [])).dtype


def _reason(error: BaseException) -> str:
    """The words of a library's error, in one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__
