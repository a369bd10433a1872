"""Read the ONNX models in the fake's plans, and run them with ONNX Runtime.

A board's Python has no onnx. Then another Python, named by the variable FAKE_PLANS_PYTHON, runs the
models. Both exchange arrays in NumPy's own format through pipes; pickles of NumPy 1 and 2 differ.

    PYTHON -m tests.fakes.tensorrt.models     starts the other end
"""

import io
import json
import os
import pathlib
import struct
import subprocess
import sys

import numpy as np

try:
    import onnx
    import onnxruntime
except ImportError:
    onnx = onnxruntime = None

ROOT = pathlib.Path(__file__).resolve().parents[3]


class Model:
    """One ONNX model.

    Attributes:
        data: its bytes.
        inputs, outputs: lists of (name, shape).
        types: dict of input or output -> "float32" or "float16".
        nodes: list of (operator, inputs, outputs, the value's names of a Constant).
        constants: names of all tensors that are constant.
        names: of the nodes.
    """

    def __init__(self, data):
        self.data = data
        told = _describe(data) if onnx else _other().describe(data)
        self.inputs = [(name, tuple(shape)) for name, shape in told["inputs"]]
        self.outputs = [(name, tuple(shape)) for name, shape in told["outputs"]]
        self.types = told["types"]
        self.nodes = told["nodes"]
        self.constants = set(told["constants"])
        self.names = told["names"]

    def session(self):
        """Return a function that takes a dict of arrays and returns the outputs in order."""
        if not onnx:
            return _other().session(self)
        session = _session(self.data)
        names = [name for name, _ in self.outputs]
        return lambda feed: session.run(names, feed)


def _describe(data):
    graph = onnx.load_model_from_string(data).graph
    constants = [tensor.name for tensor in graph.initializer]
    for node in graph.node:
        if node.op_type == "Constant":
            constants.extend(node.output)
    return {
        "inputs": [(value.name, _shape(value)) for value in graph.input],
        "outputs": [(value.name, _shape(value)) for value in graph.output],
        "types": {v.name: _type(v) for v in list(graph.input) + list(graph.output)},
        "nodes": [(n.op_type, list(n.input), list(n.output)) for n in graph.node],
        "constants": constants,
        "names": [node.name for node in graph.node],
    }


def _shape(value):
    return [dim.dim_value for dim in value.type.tensor_type.shape.dim]


def _type(value):
    kind = value.type.tensor_type.elem_type
    return {onnx.TensorProto.FLOAT: "float32", onnx.TensorProto.FLOAT16: "float16"}[kind]


def _session(data):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


# -- the other Python


class _Other:
    """A process of a Python that has onnx."""

    def __init__(self, python):
        environment = dict(os.environ, PYTHONPATH=str(ROOT))
        environment.pop("FAKE_BOARD", None)
        self._process = subprocess.Popen(
            [python, "-m", "tests.fakes.tensorrt.models"],
            cwd=str(ROOT),
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._sessions = 0

    def describe(self, data):
        return json.loads(str(self._ask(describe=np.frombuffer(data, np.uint8))["told"]))

    def session(self, model):
        self._ask(model=np.frombuffer(model.data, np.uint8))
        self._sessions += 1
        fixed = {"session": self._sessions - 1, "outputs": [name for name, _ in model.outputs]}

        def run(feed):
            told = self._ask(**fixed, **{"in " + name: values for name, values in feed.items()})
            return [told[name] for name, _ in model.outputs]

        return run

    def _ask(self, **arrays):
        _send(self._process.stdin, arrays)
        return _receive(self._process.stdout)


_STARTED = []


def _other():
    if not _STARTED:
        _STARTED.append(_Other(os.environ["FAKE_PLANS_PYTHON"]))
    return _STARTED[0]


def _send(pipe, arrays):
    data = io.BytesIO()
    np.savez(data, **arrays)
    pipe.write(struct.pack("<Q", data.tell()) + data.getvalue())
    pipe.flush()


def _receive(pipe):
    """Return a dict of arrays, or None at the end."""
    size = pipe.read(8)
    return dict(np.load(io.BytesIO(pipe.read(*struct.unpack("<Q", size))))) if size else None


def serve(given, answers):
    """Answer requests until the input ends."""
    sessions = []
    for asked in iter(lambda: _receive(given), None):
        told = {}
        if "describe" in asked:
            told["told"] = json.dumps(_describe(asked["describe"].tobytes()))
        elif "model" in asked:
            sessions.append(_session(asked["model"].tobytes()))
        else:
            names = asked["outputs"].tolist()
            feed = {name[3:]: values for name, values in asked.items() if name[:3] == "in "}
            told = dict(zip(names, sessions[int(asked["session"])].run(names, feed)))
        _send(answers, told)


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
