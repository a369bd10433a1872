"""Read the ONNX models in the fake's plans, and run them with ONNX Runtime."""

try:
    import onnx
    import onnxruntime
except ImportError:  # as on a board, where the tests that run plans are skipped
    onnx = onnxruntime = None


class Model:
    """One ONNX model: its bytes and what ``_describe`` says of it."""

    def __init__(self, data):
        self.data = data
        told = _describe(data)
        self.inputs = [(name, tuple(shape)) for name, shape in told["inputs"]]
        self.outputs = [(name, tuple(shape)) for name, shape in told["outputs"]]
        self.types, self.nodes, self.names = told["types"], told["nodes"], told["names"]
        self.constants = set(told["constants"])

    def session(self):
        """Return a function that takes a dict of arrays and returns the outputs in order."""
        session = _session(self.data)
        names = [name for name, _ in self.outputs]
        return lambda feed: session.run(names, feed)


def _describe(data):
    graph = onnx.load_model_from_string(data).graph
    constants = [tensor.name for tensor in graph.initializer]
    constants += [node.output[0] for node in graph.node if node.op_type == "Constant"]
    return {
        "inputs": [(value.name, _shape(value)) for value in graph.input],
        "outputs": [(value.name, _shape(value)) for value in graph.output],
        "types": {v.name: _type(v) for v in list(graph.input) + list(graph.output)},
        "nodes": [(n.op_type, list(n.input), list(n.output)) for n in graph.node],
        "constants": constants,
        "names": [node.name for node in graph.node],
    }


def _shape(value):
    return [-1 if dim.dim_param else dim.dim_value for dim in value.type.tensor_type.shape.dim]


def _type(value):
    kind = value.type.tensor_type.elem_type
    return {onnx.TensorProto.FLOAT: "float32", onnx.TensorProto.FLOAT16: "float16"}[kind]


def _session(data):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
