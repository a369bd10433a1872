"""Read the ONNX models in the fake's plans, and run them with ONNX Runtime.

A board's Python has no onnx. Then another Python, named by the variable FAKE_PLANS_PYTHON, runs the
models. Both exchange lines of JSON, each followed by raw arrays, through pipes. They do not use
pickles, because those of NumPy 1 and 2 differ.

    PYTHON -m hotpath_nogpu.tensorrt.models     starts the other end
"""

import json
import os
import subprocess
import sys

import numpy as np

from hotpath_nogpu import PATH, ROOT

try:
    import onnx
    import onnxruntime
except ImportError:
    onnx = onnxruntime = None


class Model:
    """One ONNX model: its bytes and what ``_describe`` says of it."""

    def __init__(self, data):
        self.data = data
        told = _describe(data) if onnx else _other().describe(data)
        self.inputs = [(name, tuple(shape)) for name, shape in told["inputs"]]
        self.outputs = [(name, tuple(shape)) for name, shape in told["outputs"]]
        self.types, self.nodes, self.names = told["types"], told["nodes"], told["names"]
        self.constants = set(told["constants"])

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


# -- the other Python


class _Other:
    """A process of a Python that has onnx."""

    def __init__(self, python):
        environment = dict(os.environ, PYTHONPATH=PATH)
        environment.pop("FAKE_BOARD", None)
        self._process = subprocess.Popen(
            [python, "-m", "hotpath_nogpu.tensorrt.models"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._sessions = 0

    def describe(self, data):
        _send(self._process.stdin, {"do": "describe"}, [np.frombuffer(data, np.uint8)])
        return _receive(self._process.stdout)[0]

    def session(self, model):
        number, self._sessions = self._sessions, self._sessions + 1
        _send(self._process.stdin, {"do": "session"}, [np.frombuffer(model.data, np.uint8)])

        def run(feed):
            head = {"do": "run", "session": number, "names": list(feed)}
            head["outputs"] = [name for name, _ in model.outputs]
            _send(self._process.stdin, head, [feed[name] for name in feed])
            return _receive(self._process.stdout)[1]

        return run


_STARTED = []


def _other():
    if not _STARTED:
        _STARTED.append(_Other(os.environ["FAKE_PLANS_PYTHON"]))
    return _STARTED[0]


def _send(pipe, head, arrays=()):
    arrays = [np.ascontiguousarray(array) for array in arrays]
    head = dict(head, arrays=[(str(array.dtype), list(array.shape)) for array in arrays])
    pipe.write(json.dumps(head).encode() + b"\n")
    for array in arrays:
        pipe.write(array.tobytes())
    pipe.flush()


def _receive(pipe):
    """Return (head, arrays), or (None, []) at the end."""
    line = pipe.readline()
    if not line:
        return None, []
    head = json.loads(line.decode())
    arrays = []
    for dtype, shape in head["arrays"]:
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        arrays.append(np.frombuffer(pipe.read(size), dtype).reshape(shape))
    return head, arrays


def serve(given, answers):
    """Answer requests until the input ends."""
    sessions = []
    while True:
        head, arrays = _receive(given)
        if head is None:
            return
        if head["do"] == "describe":
            _send(answers, _describe(arrays[0].tobytes()))
        elif head["do"] == "session":
            sessions.append(_session(arrays[0].tobytes()))
        else:
            feed = dict(zip(head["names"], arrays))
            _send(answers, {}, sessions[head["session"]].run(head["outputs"], feed))


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
