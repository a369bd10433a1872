"""Networks of every family with a known right answer, and a film for them."""

import re

import numpy as np
import onnx

from hotpath.runtime.decode import anchors
from hotpath.runtime.networks import load_network
from tests.support.described import toml_of
from tests.support.models import model_of

# One network of each family.
FEW = ("siamrpnpp_resnet50", "siamfc_015", "kestrel", "lightfc", "stark_s50")


def film(frames=25, width=320, height=240, size=(36, 24)):
    """A white rectangle that drifts over black."""
    pictures, boxes = [], []
    for index in range(frames):
        x, y = 100 + 3 * index, 120 - 2 * index
        picture = np.zeros((height, width, 3), np.uint8)
        picture[y : y + size[1], x : x + size[0]] = 255
        pictures.append(picture)
        boxes.append((float(x), float(y), float(size[0]), float(size[1])))
    return pictures, boxes


def write_network(folder, name):
    """Write a published network's TOML without checksums, and files for it; return the TOML."""
    text = toml_of(name).read_text()
    path = folder / (name + ".toml")
    text = re.sub(r"(?m)^\[(negatives|point_prompt)\]\n(.+\n)*", "", text)
    path.write_text(re.sub(r"(?m)^((?:measured_)?sha256|url) = .*\n", "", text))
    network = load_network(path)
    built = BUILDERS[network.family](network)
    for entry in network.files:
        model = built[entry.part.replace("second_", "")]
        onnx.save(model, str(folder / entry.name))
    return path


class BlobGraph:
    """A small ONNX graph under construction; operators are methods, tensors are names."""

    def __init__(self):
        self.nodes = []
        self.constants = {}

    def __getattr__(self, operator):
        if not operator[0].isupper():
            raise AttributeError(operator)

        def add(*inputs, **options):
            names = [self.constant(i) if not isinstance(i, str) else i for i in inputs]
            output = options.pop("output", f"t{len(self.nodes)}")
            self.nodes.append((operator, names, [output], options))
            return output

        return add

    def constant(self, value):
        array = np.asarray(value)
        if array.dtype != np.int64 or not array.ndim:
            array = array.astype(np.float32)
        name = f"c{len(self.constants)}"
        self.constants[name] = array
        return name

    def model(self, inputs, outputs):
        """The finished model; ``inputs`` and ``outputs`` are lists of (name, shape)."""
        return model_of(self.nodes, dict(inputs), dict(outputs), self.constants, opset=11)

    def brightness(self, picture, network):
        """Brightness, 0 to 1, (1, 1, side, side): mean of the channels in the frame's values."""
        scale = np.reshape(network.scale, (1, 3, 1, 1))
        mean = np.reshape(network.mean, (1, 3, 1, 1))
        pixels = self.Add(self.Div(picture, scale), mean)
        grey = self.ReduceMean(pixels, axes=[1], keepdims=1)
        return self.Clip(self.Mul(self.Sub(grey, 64.0), 1 / 191.0), 0.0, 1.0)

    def measure(self, picture, network, side):
        """Centre (from the picture's centre) and size of the bright area, pixels: 4 tensors."""
        bright = self.brightness(picture, network)
        mass = self.Add(self.ReduceSum(bright, axes=[2, 3], keepdims=1), 1e-6)
        # a warp puts the first and last pixel's centres on the window's ends
        place = np.arange(side) + (0.0 if network.resample == "warp" else 0.5)
        whole = side - 1 if network.resample == "warp" else side
        results = []
        for shape in ((1, 1, 1, side), (1, 1, side, 1)):
            moment = self.Mul(bright, (place - whole / 2).reshape(shape))
            moment = self.ReduceSum(moment, axes=[2, 3], keepdims=1)
            results.append(self.Div(moment, mass))
        for axis in (2, 3):
            profile = self.ReduceMax(bright, axes=[axis], keepdims=1)
            results.append(self.Add(self.ReduceSum(profile, axes=[2, 3], keepdims=1), 1e-3))
        return results

    def distance(self, x, y, places):
        """Squared distance of a point to every cell: (1, 1, n, n)."""
        count = len(places)
        dx = self.Sub(places.reshape(1, 1, 1, count), x)
        dy = self.Sub(places.reshape(1, 1, count, 1), y)
        return self.Add(self.Mul(dx, dx), self.Mul(dy, dy))


def exemplar_graph(network):
    """A graph from the exemplar to one feature: its highest brightness, at most 1."""
    graph = BlobGraph()
    bright = graph.brightness("picture", network)
    graph.ReduceMax(bright, axes=[2, 3], keepdims=1, output="feature")
    return graph.model([("picture", _picture(network.exemplar))], [("feature", (1, 1, 1, 1))])


def _picture(side):
    return (1, 3, side, side)


def _search(graph, network, outputs):
    inputs = [("search", _picture(network.search)), ("feature", (1, 1, 1, 1))]
    return graph.model(inputs, outputs)


def points(network):
    """Distances from every cell to the sides of the bright rectangle."""
    graph, size = BlobGraph(), network.map_size
    x, y, w, h = graph.measure("search", network, network.search)
    places = (np.arange(size) - size // 2) * float(network.stride)
    logit = _logit(graph, graph.distance(x, y, places), "feature")
    across, down = places.reshape(1, 1, 1, size), places.reshape(1, 1, size, 1)
    full = np.zeros((1, 1, size, size))
    sides = []
    for centre, extent, place, sign in (
        (x, w, across, 1),
        (y, h, down, 1),
        (x, w, across, -1),
        (y, h, down, -1),
    ):
        offset = graph.Mul(graph.Sub(place, centre), float(sign))
        sides.append(graph.Add(graph.Add(offset, graph.Mul(extent, 0.5)), full))
    names = network.maps or ("cls", "bbox")
    graph.Concat(*sides, axis=1, output=names[1])
    outputs = [(names[1], (1, 4, size, size))]  # the family orders its maps itself
    if network.score == "softmax":
        graph.Concat(graph.Neg(logit), logit, axis=1, output=names[0])
        outputs.append((names[0], (1, 2, size, size)))
    else:
        operator = graph.Sigmoid if network.score == "none" else graph.Identity
        operator(logit, output=names[0])
        outputs.append((names[0], (1, 1, size, size)))
    return {"exemplar": exemplar_graph(network), "search": _search(graph, network, outputs)}


def _logit(graph, distance, feature):
    """A logit: high near the target, and only if the exemplar's feature is there."""
    return graph.Sub(graph.Sub(graph.Mul(feature, 16.0), 8.0), graph.Mul(distance, 0.01))


def anchor_parts(network):
    """Deltas that move every anchor onto the bright rectangle."""
    graph, size, stride = BlobGraph(), network.map_size, network.stride
    sizes = anchors.anchor_sizes(stride, network.ratios, network.scales)
    count = len(sizes)
    x, y, w, h = graph.measure("search", network, network.search)
    places = (np.arange(size) - size // 2) * float(stride)
    logit = _logit(graph, graph.distance(x, y, places), "feature")
    logit = graph.Add(logit, np.zeros((1, count, 1, 1)))
    graph.Concat(graph.Neg(logit), logit, axis=1, output="cls")
    widths, heights = sizes.T.reshape(2, 1, count, 1, 1)
    full = np.zeros((1, count, size, size))
    graph.Concat(
        graph.Add(graph.Div(graph.Sub(x, places.reshape(1, 1, 1, size)), widths), full),
        graph.Add(graph.Div(graph.Sub(y, places.reshape(1, 1, size, 1)), heights), full),
        graph.Add(graph.Log(graph.Div(w, widths)), full),
        graph.Add(graph.Log(graph.Div(h, heights)), full),
        axis=1,
        output="loc",
    )
    outputs = [("loc", (1, 4 * count, size, size)), ("cls", (1, 2 * count, size, size))]
    return {"exemplar": exemplar_graph(network), "search": _search(graph, network, outputs)}


def corners(network):
    """Heat around both corners of the bright rectangle, or the finished box."""
    graph, side = BlobGraph(), float(network.search)
    x, y, w, h = graph.measure("search", network, network.search)
    x, y = graph.Mul(x, "feature"), graph.Mul(y, "feature")
    shares = [graph.Div(value, side) for value in (x, y, w, h)]
    if network.output == "box":
        shares[:2] = [graph.Add(value, 0.5) for value in shares[:2]]
        box = graph.Concat(*shares, axis=1)
        graph.Reshape(box, np.array([1, 1, 4], np.int64), output="box")
        outputs = [("box", (1, 1, 4))]
    else:
        size = network.map_size
        places = (np.arange(size) + network.cell_centre) / size - 0.5
        names = network.maps or ("top_left", "bottom_right")
        outputs = []
        for name, sign in zip(names, (-0.5, 0.5)):
            corner = [
                graph.Add(centre, graph.Mul(extent, sign))
                for centre, extent in zip(shares[:2], shares[2:])
            ]
            graph.Mul(graph.distance(corner[0], corner[1], places), -800.0, output=name)
            outputs.insert(0, (name, (1, 1, size, size)))  # the TOML says which is which
    return {"exemplar": exemplar_graph(network), "search": _search(graph, network, outputs)}


def centre(network):
    """Score, size and offset of the bright rectangle, from both pictures in one graph."""
    graph, size, side = BlobGraph(), network.map_size, float(network.search)
    feature = "feature"
    if network.file("whole"):
        bright = graph.brightness("template", network)
        feature = graph.ReduceMax(bright, axes=[2, 3], keepdims=1)
    x, y, w, h = graph.measure("search", network, network.search)
    places = ((np.arange(size) + 0.5) / size - 0.5) * side
    near = graph.Exp(graph.Mul(graph.distance(x, y, places), -0.005))
    names = network.maps or ("score", "size", "offset")
    graph.Mul(near, feature, output=names[0])
    full = np.zeros((1, 2, size, size))
    shares = graph.Concat(graph.Div(w, side), graph.Div(h, side), axis=1)
    graph.Add(shares, full, output=names[1])
    index = np.arange(size) - size / 2.0
    one = np.zeros((1, 1, size, size))
    offsets = [
        graph.Add(graph.Sub(graph.Mul(value, size / side), index.reshape(shape)), one)
        for value, shape in ((x, (1, 1, 1, size)), (y, (1, 1, size, 1)))
    ]
    graph.Concat(*offsets, axis=1, output=names[2])
    outputs = [(names[0], (1, 1, size, size))]
    outputs += [(name, (1, 2, size, size)) for name in names[1:3]]
    if not network.file("whole"):
        parts = {"exemplar": exemplar_graph(network)}
        return dict(parts, search=_search(graph, network, outputs))
    inputs = [("template", _picture(network.exemplar)), ("search", _picture(network.search))]
    return {"whole": graph.model(inputs, outputs)}


def response(network):
    """A peak at the bright rectangle, highest if it has the size of the exemplar's rectangle."""
    graph = BlobGraph()
    size = network.map_size
    x, y, w, h = graph.measure("search", network, network.search)
    width, height = 36, 24  # of the film's rectangle, of which the exemplar has a context
    whole = (width + height) / 2
    scale = network.exemplar / np.sqrt((width + whole) * (height + whole))
    wanted = width * height * scale**2
    places = (np.arange(size) - size // 2) * float(network.stride)
    change = graph.Abs(graph.Log(graph.Mul(graph.Mul(w, h), 1 / wanted)))
    peak = graph.Mul(graph.Sub(1.0, change), graph.Mul("feature", 6.0))
    bump = graph.Exp(graph.Mul(graph.distance(x, y, places), -0.002))
    graph.Mul(bump, peak, output="response")
    outputs = [("response", (1, 1, size, size))]
    return {"exemplar": exemplar_graph(network), "search": _search(graph, network, outputs)}


BUILDERS = {
    "points": points,
    "anchors": anchor_parts,
    "corners": corners,
    "centre": centre,
    "response": response,
}
