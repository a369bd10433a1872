"""Turn an ONNX model into a PyTorch module, so that tests can export it in other ways."""

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import nn
from torch.nn import functional

from hotpath.graphs import models


class OnnxModule(nn.Module):
    """Computes what an ONNX model computes; weights are parameters."""

    def __init__(self, model):
        super().__init__()
        model = models.without_constant_nodes(models.copy(model))
        self.nodes = list(model.graph.node)
        self.constants = {}
        self.weights = nn.ParameterList()
        self.places = {}
        for tensor in model.graph.initializer:
            self._keep(tensor.name, numpy_helper.to_array(tensor))
        names = set(self.places) | set(self.constants)
        self.inputs = [v.name for v in model.graph.input if v.name not in names]
        self.outputs = [v.name for v in model.graph.output]

    def _keep(self, name, array):
        if array.dtype == np.float32 and array.ndim:
            self.places[name] = len(self.weights)
            self.weights.append(nn.Parameter(torch.tensor(array), requires_grad=False))
        else:
            self.constants[name] = array

    def forward(self, *pictures):
        values = dict(self.constants)
        values.update((name, self.weights[place]) for name, place in self.places.items())
        values.update(zip(self.inputs, pictures))
        for node in self.nodes:
            given = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            inputs = [values[name] if name else None for name in node.input]
            values[node.output[0]] = getattr(_Operators, node.op_type)(given, *inputs)
        results = tuple(values[name] for name in self.outputs)
        return results if len(results) > 1 else results[0]


def _numbers(value):
    return [int(v) for v in np.ravel(value.detach().numpy() if torch.is_tensor(value) else value)]


def _number(value):
    return float(np.ravel(value.detach().numpy() if torch.is_tensor(value) else value)[0])


def _axes(given):
    return given["axes"], bool(given.get("keepdims", 1))


class _Operators:
    """One method an operator: (attributes, *inputs) -> tensor."""

    Add = staticmethod(lambda given, a, b: _value(a) + _value(b))
    Sub = staticmethod(lambda given, a, b: _value(a) - _value(b))
    Mul = staticmethod(lambda given, a, b: _value(a) * _value(b))
    Div = staticmethod(lambda given, a, b: _value(a) / _value(b))
    Neg = staticmethod(lambda given, a: -a)
    Exp = staticmethod(lambda given, a: torch.exp(a))
    Log = staticmethod(lambda given, a: torch.log(a))
    Abs = staticmethod(lambda given, a: torch.abs(a))
    Relu = staticmethod(lambda given, a: functional.relu(a))
    Sigmoid = staticmethod(lambda given, a: torch.sigmoid(a))
    HardSwish = staticmethod(lambda given, a: functional.hardswish(a))
    MatMul = staticmethod(lambda given, a, b: torch.matmul(a, b))
    Identity = staticmethod(lambda given, a: a)

    @staticmethod
    def HardSigmoid(given, a):
        return torch.clamp(a * given.get("alpha", 0.2) + given.get("beta", 0.5), 0, 1)

    @staticmethod
    def Clip(given, a, low=None, high=None):
        low = given.get("min") if low is None else _number(low)
        high = given.get("max") if high is None else _number(high)
        return torch.clamp(a, low, high)

    @staticmethod
    def Conv(given, a, weight, bias=None):
        pads = given.get("pads", [0] * 4)
        assert pads[:2] == pads[2:]
        strides, dilations = given.get("strides", [1, 1]), given.get("dilations", [1, 1])
        return functional.conv2d(
            a, weight, bias, strides, pads[:2], dilations, given.get("group", 1)
        )

    @staticmethod
    def Gemm(given, a, weight, bias=None):
        assert not given.get("transA")
        result = torch.matmul(a, weight.t() if given.get("transB") else weight)
        return result if bias is None else result + bias

    @staticmethod
    def BatchNormalization(given, a, scale, bias, mean, variance):
        return functional.batch_norm(a, mean, variance, scale, bias, False, 0, given["epsilon"])

    GlobalAveragePool = staticmethod(lambda given, a: functional.adaptive_avg_pool2d(a, 1))
    GlobalMaxPool = staticmethod(lambda given, a: functional.adaptive_max_pool2d(a, 1))
    Concat = staticmethod(lambda given, *parts: torch.cat(parts, given["axis"]))
    Transpose = staticmethod(lambda given, a: a.permute(given["perm"]))
    ReduceMax = staticmethod(lambda given, a: torch.amax(a, *_axes(given)))
    ReduceMean = staticmethod(lambda given, a: torch.mean(a, *_axes(given)))
    ReduceSum = staticmethod(lambda given, a: torch.sum(a, *_axes(given)))

    @staticmethod
    def MaxPool(given, a):
        return functional.max_pool2d(a, given["kernel_shape"], given["strides"])

    @staticmethod
    def AveragePool(given, a):
        return functional.avg_pool2d(a, given["kernel_shape"], given["strides"])

    @staticmethod
    def Slice(given, a, starts, ends, axes, steps=None):
        for start, end, axis in zip(_numbers(starts), _numbers(ends), _numbers(axes)):
            places = [slice(None)] * a.dim()
            places[axis] = slice(start, min(end, a.shape[axis]))
            a = a[tuple(places)]
        return a

    @staticmethod
    def Reshape(given, a, shape):
        wanted = _numbers(shape)
        if len(wanted) > 1 and wanted[0] == a.shape[0]:
            wanted[0] = a.size(0)  # as modules write it
        if -1 not in wanted:
            wanted[-1] = -1
        return a.reshape(wanted)


def _value(value):
    return value if torch.is_tensor(value) else torch.tensor(value)


def export(
    model, path, opset=13, dynamo=False, folding=True, half=False, dynamic=False, sides=None
):
    """Export an ONNX model by PyTorch."""
    module = OnnxModule(model).eval()
    values = [v for v in model.graph.input if v.name in module.inputs]
    shapes = [[d.dim_value for d in v.type.tensor_type.shape.dim] for v in values]
    shapes = [(sides or {}).get(v.name, shape) for v, shape in zip(values, shapes)]
    noise = torch.Generator().manual_seed(0)
    inputs = tuple(torch.rand(*shape, generator=noise) for shape in shapes)
    if half:
        module, inputs = module.half(), tuple(value.half() for value in inputs)
    options = {"opset_version": opset, "verbose": False}
    options.update(input_names=module.inputs, output_names=module.outputs)
    if dynamo:
        program = torch.onnx.export(module, inputs, dynamo=True, optimize=folding, **options)
        program.save(str(path))
        return
    axes = {0: "batch", 2: "height", 3: "width"}
    kept = {v: {k: x for k, x in axes.items() if k < len(s)} for v, s in zip(module.inputs, shapes)}
    options.update(do_constant_folding=folding, dynamic_axes=kept if dynamic else None)
    torch.onnx.export(module, inputs, str(path), dynamo=False, **options)


def with_external_data(path):
    """Move the weights of an ONNX file into a second file beside it."""
    model = onnx.load(str(path))
    onnx.save_model(
        model, str(path), save_as_external_data=True, location=path.name + ".data", size_threshold=0
    )
