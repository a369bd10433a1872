"""Finds the operator of a network that an engine of this computer computes otherwise than ONNX.

OpenVINO and ONNX Runtime compute the maps of one random picture. Where these differ, the first node
whose results differ is computed by ONNX's reference evaluator, too, which decides.
"""

from typing import Any, Callable, Dict, List, Mapping, Optional

import numpy as np
from onnx import ModelProto, NodeProto, ValueInfoProto, helper, numpy_helper

from hotpath.graphs import lifting, models
from hotpath.runtime.engines import openvino

APART = 1e-3  # of a result's range; engines that round otherwise differ by 1e-5
SMALLEST = 1e-6  # ONNX Runtime's sigmoid is off by 1e-7, also where it is tiny
Feed = Dict[str, np.ndarray]
Run = Callable[[ModelProto, Feed], List[np.ndarray]]


def wrong_engines(model: ModelProto) -> Dict[str, str]:
    """Compare the engines on a model whose inputs have fixed shapes.

    Returns:
        dict of the name of each engine that is wrong -> the operator in words; empty where the
        engines agree, or one of them is not installed or can't run the model.
    """
    runs = _runs()
    if len(runs) < 2:
        return {}
    feed = lifting.random_feed(model)
    try:
        first, second = (run(model, feed) for run in runs.values())
        if _are_close(first, second):
            return {}
        whole = _with_all_outputs(model)
        results = [run(whole, feed) for run in runs.values()]
    except Exception:  # of any class: who loads the engine gets its reason
        return {}
    names = [value.name for value in whole.graph.output]
    known = dict(feed, **models.constants(model.graph))
    for node in model.graph.node:
        places = [names.index(name) for name in node.output if name in names]
        first, second = ([result[place] for place in places] for result in results)
        if not _are_close(first, second):
            inputs = {name: known[name] for name in node.input if name}
            wrong = _judged(model, node, inputs, runs)
            if wrong or all(np.isfinite(r[place]).all() for r in results for place in places):
                return wrong
        known.update((names[place], results[-1][place]) for place in places)
    return {}


def _runs() -> Dict[str, Run]:
    """How each installed engine runs a model in float32."""
    runs: Dict[str, Run] = {}
    try:
        library = openvino.load_library()

        def by_openvino(model: ModelProto, feed: Feed) -> List[np.ndarray]:
            compiled = openvino.compile_on_cpu(library, model.SerializeToString(), 1)
            inputs = {value.any_name for value in compiled.inputs}
            results = compiled({name: array for name, array in feed.items() if name in inputs})
            return [np.array(results[output]) for output in compiled.outputs]

        import onnxruntime

        runs["openvino"] = by_openvino
        runs["onnxruntime"] = lambda model, feed: lifting.run(onnxruntime, model, feed)
    except ImportError:
        return {}
    return runs


def _with_all_outputs(model: ModelProto) -> ModelProto:
    """A copy that gives the results of all nodes, in their order."""
    model = models.copy(model)
    names = [name for node in model.graph.node for name in node.output if name]
    models.replace(model.graph.output, [ValueInfoProto(name=name) for name in names])
    return model


def _judged(
    model: ModelProto, node: NodeProto, inputs: Feed, runs: Mapping[str, Run]
) -> Dict[str, str]:
    """Which engines compute one node otherwise than the reference; none if it can't be judged."""
    graph = helper.make_graph(
        [node],
        "node",
        [_value(name, array) for name, array in inputs.items() if _is_input(model, name)],
        [ValueInfoProto(name=name) for name in node.output if name],
        [numpy_helper.from_array(a, n) for n, a in inputs.items() if not _is_input(model, n)],
    )
    alone = helper.make_model(graph, opset_imports=model.opset_import)
    alone.ir_version = model.ir_version
    right: Optional[List[np.ndarray]] = None
    try:
        from onnx.reference import ReferenceEvaluator

        feed = {value.name: inputs[value.name] for value in alone.graph.input}
        right = ReferenceEvaluator(alone).run(None, feed)
    except Exception:  # not in this onnx, or it does not know the operator
        try:
            right = runs["onnxruntime"](alone, inputs)
        except Exception:  # a branch of an If needs what stands around the node
            return {}
    wrong = {}
    for name, run in runs.items():
        try:
            is_wrong = not _are_close(run(alone, inputs), right, is_reference=True)
        except Exception:  # it refuses this node alone
            is_wrong = True
        if is_wrong:
            wrong[name] = described(node)
    return wrong


def described(node: NodeProto) -> str:
    """An operator with its attributes and its name, in words."""
    parts = []
    for key, value in sorted(models.attributes(node).items()):
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        parts += [f"{key}={text}"] if isinstance(text, (int, float, str)) else []
    return f"{node.op_type} ({', '.join(parts)}) {node.name or node.output[0]}"


def _is_input(model: ModelProto, name: str) -> bool:
    return all(tensor.name != name for tensor in model.graph.initializer)


def _value(name: str, array: np.ndarray) -> ValueInfoProto:
    kind: Any = helper.np_dtype_to_tensor_dtype(array.dtype)
    return helper.make_tensor_value_info(name, kind, array.shape)


def _are_close(
    first: List[np.ndarray], second: List[np.ndarray], is_reference: bool = False
) -> bool:
    """Whether results have the same shapes, and differ by less than ``APART`` or ``SMALLEST``.

    A value that is not finite differs from one that is. ``is_reference``: the second ones are
    right; where these are not finite, engines fill in what they like.
    """
    for one, other in zip(first, second):
        if one.shape != other.shape:
            return False
        if one.dtype.kind != "f":
            continue
        is_finite = np.isfinite(other)
        if not is_reference and (np.isfinite(one) != is_finite).any():
            return False
        one, other = one[is_finite], other[is_finite]
        if not one.size:
            continue
        span = float(np.ptp(other)) or float(np.abs(other).max()) or 1.0
        if not np.abs(one - other).max() <= max(APART * span, SMALLEST):
            return False
    return True
