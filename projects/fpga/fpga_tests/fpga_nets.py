"""Small networks for the FPGA compiler's tests: exemplar and search graphs with random weights."""

import numpy as np

from hotpath.calib.ranges import float_tensors, session, with_outputs
from hotpath.graphs import quantisable
from hotpath_fpga.compiler import Compiler
from tests.support.models import model_of


class FpgaNet:
    """The attributes of a network that the compiler reads."""

    name, channels = "net", "BGR"
    mean, scale = (118.0, 118.0, 118.0), (1 / 58.0,) * 3


class GraphBuilder:
    """Writes one ONNX graph."""

    def __init__(self, rng, prefix):
        self.rng, self.prefix = rng, prefix
        self.nodes = []
        self.constants = {}
        self.count = 0

    def node(self, kind, inputs, **told):
        """Add a node; returns its result's name."""
        self.count += 1
        name = f"{self.prefix}{kind}{self.count}"
        self.nodes.append((kind, inputs, [name + "-out"], dict(told, name=name)))
        return name + "-out"

    def constant(self, value):
        """Add a constant; returns its name."""
        self.count += 1
        name = f"{self.prefix}constant{self.count}"
        self.constants[name] = value
        return name

    def conv(self, source, inputs, outputs, kernel=3, stride=1, group=1, dilation=1):
        """Add a convolution with weights that keep values about as large as they are."""
        shape = (outputs, inputs // group, kernel, kernel)
        weight = self.rng.normal(0, 1.4 / np.sqrt(np.prod(shape[1:])), shape)
        weight *= 2.0 ** self.rng.uniform(-1, 1, (outputs, 1, 1, 1))
        bias = self.rng.normal(0, 0.2, outputs)
        names = [self.constant(v.astype(np.float32)) for v in (weight, bias)]
        told = {"strides": [stride] * 2, "pads": [dilation * (kernel // 2)] * 4}
        told.update(group=group, dilations=[dilation] * 2)
        return self.node("Conv", [source] + names, **told)

    def relu(self, source):
        """Add a Relu."""
        return self.node("Relu", [source])

    def model(self, inputs, outputs):
        """The model; inputs is a dict of name -> shape, outputs a list of names."""
        results = dict.fromkeys(outputs)  # of any shape
        return quantisable.prepare_for_quantiser(
            model_of(self.nodes, inputs, results, self.constants, opset=14)
        )


def picture(rng, side):
    """A smooth random picture with some noise: uint8 (side, side, 3)."""
    coarse = rng.integers(0, 256, (side // 8 + 2, side // 8 + 2, 3)).astype(float)
    fine = coarse.repeat(8, axis=0).repeat(8, axis=1)[:side, :side]
    return np.clip(fine + rng.normal(0, 20, fine.shape), 0, 255).astype(np.uint8)


def compiled(models, sides, rng, size):
    """Compile the two models for a size (dict)."""
    ranges = {part: {} for part in models}
    runners = {part: session(with_outputs(m, float_tensors(m))) for part, m in models.items()}
    for _ in range(3):
        values = {}
        for part, runner in runners.items():
            names = [value.name for value in models[part].graph.input]
            feed = {name: values[name] for name in names if name in values}
            crop = picture(rng, sides[part]).astype(np.float32)
            feed[part] = ((crop - 118) / 58).transpose(2, 0, 1)[None].astype(np.float32)
            names = [value.name for value in runner.get_outputs()]
            values = dict(zip(names, runner.run(names, feed)), **feed)
            for name, value in values.items():
                low, high = ranges[part].get(name, (0.0, 0.0))
                ranges[part][name] = min(low, float(value.min())), max(high, float(value.max()))
    return Compiler(FpgaNet, models, ranges, "test", size).run()


# -- the networks


def pixelwise(rng, sides, middle, first=8):
    """Exemplar and search with a pixel-wise correlation; ``middle`` adds layers to the search."""

    def backbone(build, source):
        """Two strided layers: 1/4 of the picture's size."""
        wide = build.relu(build.conv(source, 3, first, stride=2))
        wide = build.relu(build.conv(wide, first, 16, stride=2))
        return build.conv(wide, 16, 24, kernel=1)

    z = GraphBuilder(rng, "z/")
    features = backbone(z, "exemplar")
    cells = sides["exemplar"] // 4 + 1
    shape = z.constant(np.array([1, 24, cells * cells], np.int64))
    turned = z.node("Transpose", [z.node("Reshape", [features, shape])], perm=[0, 2, 1])
    x = GraphBuilder(rng, "x/")
    found = backbone(x, "search")
    side = sides["search"] // 4 + 1
    flat = x.node("Reshape", [found, x.constant(np.array([1, 24, -1], np.int64))])
    product = x.node("MatMul", [turned, flat])
    shape = x.constant(np.array([1, cells * cells, side, side], np.int64))
    both = x.node("Concat", [x.node("Reshape", [product, shape]), found], axis=1)
    outputs = middle(x, both, cells * cells + 24)
    models = {"exemplar": z.model({"exemplar": (1, 3) + (sides["exemplar"],) * 2}, [turned])}
    inputs = {"search": (1, 3) + (sides["search"],) * 2, turned: (1, cells * cells, 24)}
    return dict(models, search=x.model(inputs, outputs))


def towers(x, source, channels):
    """Two towers side by side, and an Exp behind one of them."""
    trunk = x.relu(x.conv(source, channels, 32))
    score = x.conv(x.relu(x.conv(trunk, 32, 16)), 16, 1, kernel=1)
    box = x.conv(x.relu(x.conv(trunk, 32, 20)), 20, 4, kernel=1)
    return [score, x.node("Exp", [box])]


def blocks(x, source, channels):
    """A residual block, groups, dilation, a table, and a concatenation of three."""
    start = x.conv(source, channels, 32, kernel=1)
    inside = x.conv(x.relu(x.conv(start, 32, 32)), 32, 32, group=32)
    added = x.relu(x.node("Add", [start, inside]))
    wide = x.conv(added, 32, 20, dilation=2)
    swished = x.node("HardSwish", [x.conv(added, 32, 12, kernel=1)])
    joined = x.node("Concat", [wide, added, swished], axis=1)
    half = x.relu(x.conv(joined, 64, 48, kernel=5, group=2))
    return [x.conv(half, 48, 6, stride=2), x.node("Sigmoid", [x.conv(joined, 64, 3)])]
