"""Adds the search region's features as an output of a search graph.

In networks with pixel-wise correlation (NanoTrack, FEAR, LightTrack, Kestrel) the exemplar's
features are multiplied with those of the search region. The latter describe what each cell shows,
at no cost. ``runtime.loss`` compares them with those of the first frame.
"""

import math
from typing import Optional, Tuple

from onnx import TensorProto, helper, shape_inference

from runtime.graphs import models
from runtime.graphs.assemble import Graphs
from runtime.network import Network


def with_search_features(network: Network, graphs: Graphs) -> Tuple[Graphs, Optional[str]]:
    """Add the output.

    Args:
        network: uses ``correlation``, and ``stride`` where its family has it.
        graphs: its ``assemble.Graphs``.

    Returns:
        (graphs, name). The search model of ``graphs`` has the output ``name`` (1, channels, cells)
        too; the cells are a square in row-major order. Where the graph has no such tensor,
        ``graphs`` is unchanged and ``name`` is None.
    """
    if network.correlation not in ("pixelwise", "both") or not hasattr(network, "stride"):
        return graphs, None
    shapes = {v.name: models.shape_of(v) for v in graphs.search.graph.value_info}
    for node in graphs.search.graph.node:
        if node.op_type != "MatMul" or node.input[0] not in graphs.features:
            continue
        name = node.input[1]
        shape = shapes.get(name, ())
        if len(shape) == 3 and shape[0] == 1 and math.sqrt(shape[2]) % 1 == 0:
            search = models.copy(graphs.search)
            output = helper.ValueInfoProto(name=name)
            output.type.tensor_type.elem_type = TensorProto.FLOAT
            search.graph.output.append(output)
            search = shape_inference.infer_shapes(search, strict_mode=True)
            return graphs._replace(search=search), name
    return graphs, None
