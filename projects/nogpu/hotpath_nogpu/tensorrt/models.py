"""Read the ONNX models in the fake's plans, and run them with ONNX Runtime."""

try:
    import onnx
    import onnxruntime
except ImportError:  # as on a board, where the tests that run plans are skipped
    onnx = onnxruntime = None


class FakeModel:
    """One ONNX model.

    Attributes:
        data: its bytes.
        nodes: of ONNX, in their order.
        inputs, outputs: dict of name -> shape, -1 for any length.
        types: dict of their names -> "float32" or "float16".
        constants: names of the tensors that are no results.
    """

    def __init__(self, data):
        graph = onnx.load_model_from_string(data).graph
        self.data, self.nodes = data, list(graph.node)
        self.inputs = {value.name: _shape(value) for value in graph.input}
        self.outputs = {value.name: _shape(value) for value in graph.output}
        kinds = {onnx.TensorProto.FLOAT: "float32", onnx.TensorProto.FLOAT16: "float16"}
        values = [*graph.input, *graph.output]
        self.types = {value.name: kinds[value.type.tensor_type.elem_type] for value in values}
        self.constants = {tensor.name for tensor in graph.initializer}
        self.constants |= {node.output[0] for node in graph.node if node.op_type == "Constant"}

    def session(self):
        """Return a function that takes a dict of arrays and returns one of the outputs."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        providers = ["CPUExecutionProvider"]
        session = onnxruntime.InferenceSession(self.data, options, providers=providers)
        return lambda feed: dict(zip(self.outputs, session.run(list(self.outputs), feed)))


def _shape(value):
    dims = value.type.tensor_type.shape.dim
    return tuple(-1 if dim.dim_param else dim.dim_value for dim in dims)
