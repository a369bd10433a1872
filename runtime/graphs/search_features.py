"""The search region's features, as one more output of a search graph.

Where the exemplar's features are multiplied with those of the search region (pixel-wise
correlation: NanoTrack, FEAR, LightTrack, Kestrel), the latter say what the network saw in each
cell, at no cost. ``runtime.loss`` compares them with those of the first frame.
"""

import math

import onnx
from onnx import shape_inference

from runtime.graphs import assemble


def with_seen(network, graphs):
    """Add the output.

    Args:
        network: uses ``correlation`` and, where its family has it, ``stride``.
        graphs: its ``graph.Graphs``.

    Returns:
        (graphs, name): ``graphs`` with the search model's output ``name`` (1, channels, cells),
        cells a square in row-major order; unchanged and None where there is no such tensor.
    """
    if network.correlation not in ("pixelwise", "both") or not hasattr(network, "stride"):
        return graphs, None
    shapes = {v.name: assemble.shape_of(v) for v in graphs.search.graph.value_info}
    for node in graphs.search.graph.node:
        if node.op_type != "MatMul" or node.input[0] not in graphs.features:
            continue
        name = node.input[1]
        shape = shapes.get(name, ())
        if len(shape) == 3 and shape[0] == 1 and math.sqrt(shape[2]) % 1 == 0:
            search = onnx.ModelProto.FromString(graphs.search.SerializeToString())
            search.graph.output.append(onnx.helper.ValueInfoProto(name=name))
            search.graph.output[-1].type.tensor_type.elem_type = onnx.TensorProto.FLOAT
            search = shape_inference.infer_shapes(search, strict_mode=True)
            return graphs._replace(search=search), name
    return graphs, None
