"""What whole numbers cost a trained network: INT8 by ONNX Runtime, and power-of-two scales.

    python -m calib.train.int8 RUN/joint.pt --pairs RUN/held.npz --validation DIR --out DIR

Writes ``kestrel_*_int8.onnx`` and prints one-step overlap and time of each form. INT8 is static
QDQ, MinMax, weights int8 per channel, activations uint8. Power-of-two scales are simulated: int8
activations per tensor, weights per channel, as integer-only hardware with shifts has them.
"""

import argparse
import json
import pathlib
import sys
import time

import numpy as np
import onnxruntime
import torch
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import nn

from calib.clips import find_clips
from calib.one_step_overlap import Pairs
from calib.train.export import export, load
from calib.train.geometry import MEAN, PAIRS, SCALE
from calib.train.network import ExemplarGraph, SearchGraph
from calib.train.teacher import session
from calib.train.validate import figures, overlaps
from runtime.errors import HotpathError

CALIBRATION = 128  # pairs
FEWEST_EXPONENTS, MOST_EXPONENTS = -12, 6


def image(crop):
    """uint8 (side,side,3) -> float32 (1,3,side,side)."""
    return ((crop.transpose(2, 0, 1).astype(np.float32) - MEAN) * SCALE)[None]


class Feeds(CalibrationDataReader):
    """Inputs to measure ranges with."""

    def __init__(self, feeds):
        self._feeds = iter(feeds)

    def get_next(self):
        return next(self._feeds, None)


def quantise(source, target, feeds):
    """Write ``source`` in INT8."""
    prepared = target.with_suffix(".prepared.onnx")
    quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
    quantize_static(
        str(prepared), str(target), Feeds(feeds), quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, per_channel=True,
        calibrate_method=CalibrationMethod.MinMax,
    )  # fmt: skip
    prepared.unlink()
    return target


class Files:
    """An exported pair of graphs, by ONNX Runtime on one thread."""

    def __init__(self, exemplar, search):
        self.paths = (exemplar, search)
        self._exemplar, self._search = session(exemplar), session(search)

    def exemplar(self, crop):
        return self._exemplar.run(None, {"image": image(crop)})[0]

    def search(self, features, crop):
        score, distances = self._search.run(None, {"exemplar": features, "image": image(crop)})
        return 1 / (1 + np.exp(-score[0, 0])), distances[0]

    def search_ms(self, features, crop):
        feed = {"exemplar": features, "image": image(crop)}
        return least_ms(lambda: self._search.run(None, feed))


def least_ms(call, repeats=300):
    """(least, median) time of a call."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        times.append((time.perf_counter() - started) * 1e3)
    return round(min(times), 3), round(float(np.median(times)), 3)


def openvino_ms(path, features, crop):
    """(least, median) time of a search graph in OpenVINO on one thread; None where it is not."""
    try:
        import openvino
    except ImportError:
        return None
    core = openvino.Core()
    options = {"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY",
               "INFERENCE_PRECISION_HINT": "f32"}  # fmt: skip
    request = core.compile_model(core.read_model(str(path)), "CPU", options).create_infer_request()
    feed = {"exemplar": features, "image": image(crop)}
    return least_ms(lambda: request.infer(feed, share_inputs=True))


class Rounded(nn.Module):
    """A layer whose output is rounded to int8 at a power-of-two scale."""

    def __init__(self, layer):
        super().__init__()
        self.layer, self.exponent, self.error = layer, None, {}

    def forward(self, x):
        y = self.layer(x)
        if self.exponent is not None:
            return rounded(y, self.exponent)
        for exponent in range(FEWEST_EXPONENTS, MOST_EXPONENTS):
            error = float((rounded(y, exponent) - y).square().mean())
            self.error[exponent] = self.error.get(exponent, 0.0) + error
        return y

    def settle(self):
        """Keep the exponent of the least squared error."""
        self.exponent = min(self.error, key=self.error.get)


def rounded(values, exponent):
    """The nearest multiple of 2**exponent in int8."""
    scale = 2.0**exponent
    return (values / scale).round().clamp(-128, 127) * scale


def rounding_error(values, exponent):
    return float((rounded(values, exponent) - values).square().sum())


def round_weights(layer):
    """Round a convolution's weights to int8, each output channel at its own power of two."""
    weight = layer.weight.data
    for channel in range(len(weight)):
        best = min(range(-20, 4), key=lambda e: rounding_error(weight[channel], e))
        weight[channel] = rounded(weight[channel], best)


def power_of_two(graph):
    """Round a folded graph's weights and wrap what has an output of its own; returns the wraps."""
    wraps = []

    def wrap(parent, name, child):
        wraps.append(Rounded(child))
        setattr(parent, name, wraps[-1])

    def visit(parent):
        for name, child in list(parent.named_children()):
            fused = (
                isinstance(child, nn.Sequential)
                and len(child) == 2
                and isinstance(child[1], nn.ReLU)
            )
            if fused or isinstance(child, (nn.Conv2d, nn.Identity)):
                for layer in child.modules():
                    if isinstance(layer, nn.Conv2d):
                        round_weights(layer)
                wrap(parent, name, child)
            else:
                visit(child)

    visit(graph)
    return wraps


class PowerOfTwo:
    """The network in simulated int8 with power-of-two scales."""

    def __init__(self, network, pairs):
        self._graphs = [ExemplarGraph(network).eval(), SearchGraph(network).eval()]
        wraps = [power_of_two(graph) for graph in self._graphs]
        self._picture = Rounded(nn.Identity())
        for crop, other in pairs:
            self.search(self.exemplar(crop), other)
        for wrap in wraps[0] + wraps[1] + [self._picture]:
            wrap.settle()

    def exemplar(self, crop):
        with torch.no_grad():
            return self._graphs[0](self._picture(torch.from_numpy(image(crop))))

    def search(self, features, crop):
        with torch.no_grad():
            score, distances = self._graphs[1](
                features, self._picture(torch.from_numpy(image(crop)))
            )
        return score[0, 0].sigmoid().numpy(), distances[0].numpy()


def report(checkpoint, pairs_path, validation, folder):
    """Measure every form; yields a dict each."""
    folder = pathlib.Path(folder)
    export(checkpoint, folder)
    with np.load(pairs_path) as file:
        crops = list(zip(file["exemplar"][:CALIBRATION], file["search"][:CALIBRATION]))
    pairs = Pairs(find_clips([validation]), PAIRS)
    plain = Files(folder / "kestrel_exemplar.onnx", folder / "kestrel_search.onnx")
    features = [plain.exemplar(crop) for crop, _ in crops]
    whole = Files(
        quantise(plain.paths[0], folder / "kestrel_exemplar_int8.onnx",
                 [{"image": image(crop)} for crop, _ in crops]),
        quantise(plain.paths[1], folder / "kestrel_search_int8.onnx",
                 [{"exemplar": f, "image": image(crop)} for f, (_, crop) in zip(features, crops)]),
    )  # fmt: skip
    for name, files in (("fp32", plain), ("int8", whole)):
        yield {"form": name, **figures(overlaps(files, pairs), pairs),
               "onnxruntime_ms": files.search_ms(features[0], crops[0][1]),
               "openvino_ms": openvino_ms(files.paths[1], features[0], crops[0][1])}  # fmt: skip
    simulated = PowerOfTwo(load(checkpoint), crops)
    yield {
        "form": "int8, power-of-two scales, simulated",
        **figures(overlaps(simulated, pairs), pairs),
    }


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m calib.train.int8", description=__doc__)
    parser.add_argument("checkpoint")
    parser.add_argument(
        "--pairs", required=True, help="held.npz of the run, to measure ranges with"
    )
    parser.add_argument("--validation", required=True, help="annotated clips")
    parser.add_argument("--out", required=True, help="folder for the ONNX files")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    print("onnxruntime {}, torch {}, one thread".format(onnxruntime.__version__, torch.__version__))
    for line in report(args.checkpoint, args.pairs, args.validation, args.out):
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    try:
        main()
    except HotpathError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
