"""How many kernels a GPU runs for a graph: an estimate, by what libraries such as TensorRT fuse.

A convolution or a product of matrices takes the operators of single values behind it into its
kernel, a sum with another map too. Such operators by themselves share a kernel. A concatenation and
a change of shape cost none.
"""

from typing import Dict, List

from onnx import ModelProto, NodeProto

FREE = {"Concat", "Constant", "Dropout", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"}
SCALING = {"QuantizeLinear", "DequantizeLinear"}  # INT8: parts of the kernels around them
TAKING = {"Conv", "ConvTranspose", "Gemm", "MatMul"}
ACTIVATIONS = "Clip Elu Gelu HardSigmoid HardSwish LeakyRelu Mish PRelu Relu Selu Sigmoid Softplus"
ARITHMETIC = (
    "Abs Add BatchNormalization Cast Div Erf Exp Log Max Min Mul Neg Pow Reciprocal Sqrt Sub"
)
POINTWISE = {*ACTIVATIONS.split(), *ARITHMETIC.split(), "Tanh", "Where"}


def kernels(model: ModelProto) -> int:
    """The number of kernels of one run."""
    readers: Dict[str, List[NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    outputs = {value.name for value in model.graph.output}
    open_to: Dict[str, int] = {}  # tensor -> kernel that can take the operator behind it
    count = 0
    for node in model.graph.node:
        if node.op_type in SCALING and node.input[0] in open_to:
            open_to[node.output[0]] = open_to[node.input[0]]
        if node.op_type in FREE | SCALING:
            continue
        kernel = None
        if node.op_type in POINTWISE:
            own = [name for name in node.input if name in open_to and name not in outputs]
            own = [name for name in own if all(_beside(node, r) for r in readers[name])]
            kernel = max((open_to[name] for name in own), default=None)
        if kernel is None:
            kernel, count = count, count + 1
        if node.op_type in TAKING | POINTWISE:
            open_to.update(dict.fromkeys(node.output, kernel))
    return count


def _beside(node: NodeProto, other: NodeProto) -> bool:
    """Whether another reader of a tensor can be in one kernel with a node, as in x * sigmoid(x)."""
    if other is node or node.output[0] == other.output[0]:
        return True
    feeds = node.output[0] in other.input or other.output[0] in node.input
    return feeds and other.op_type in POINTWISE
