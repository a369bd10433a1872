"""Write INT8 networks as Q/DQ ONNX, from a table of ranges, with ONNX Runtime's quantiser.

There are two forms. ``cpu`` is for ONNX Runtime and OpenVINO: activations are uint8 with a zero
point, which gives one more bit after a ReLU; biases are int32. Scales are chosen so that all
engines get the same levels (``hotpath.calib.tie_free_scales``). ``symmetric`` is for TensorRT:
activations are int8 without a zero point; biases are float. Weights are int8 with one scale a
channel. The derived TOML names the two files, so that ``--network NAME-int8.toml`` runs on any
engine.
"""

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationMethod, QuantType
from onnxruntime.quantization.calibrate import TensorData, TensorsData
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

from hotpath.base import cache, toml, toml_writer
from hotpath.calib import tie_free_scales
from hotpath.calib.ranges import Ranges
from hotpath.graphs import counting, quantisable
from hotpath.graphs.errors import BadRangeTable
from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.network import Network

FORMS = ("cpu", "symmetric")


def quantised_model(
    model: onnx.ModelProto,
    ranges: Ranges,
    form: str = "cpu",
    keep: Iterable[str] = (),
    only: Iterable[str] | None = None,
) -> onnx.ModelProto:
    """The model with Q/DQ pairs.

    Args:
        model: one of ``quantisable.parts``.
        ranges: dict of tensor -> (low, high).
        form: one of ``FORMS``.
        keep: base names of layers left in floating point.
        only: names of the nodes to quantise; None for all.

    Raises:
        BadTable: a tensor of the model has no range.
    """
    symmetric = form == "symmetric"
    copy = onnx.ModelProto.FromString(model.SerializeToString())
    excluded = list(quantisable.floating(copy, keep))
    options = {
        "ActivationSymmetric": symmetric,
        "WeightSymmetric": True,
        "QuantizeBias": not symmetric,
    }
    spans = {
        name: TensorData(lowest=np.float32(low), highest=np.float32(high))
        for name, (low, high) in ranges.items()
    }
    quantizer = QDQQuantizer(
        copy,
        True,
        False,
        QuantType.QInt8,
        QuantType.QInt8 if symmetric else QuantType.QUInt8,
        TensorsData(CalibrationMethod.MinMax, spans),
        list(only) if only is not None else [],
        excluded,
        list(quantisable.OPS),
        options,
    )
    try:
        quantizer.quantize_model()
    except (ValueError, KeyError) as error:
        raise BadRangeTable(
            f"the table lacks a range ({str(error).splitlines()[0][:160]}); calibrate this "
            "network again",
            what="no range",
        ) from None
    quantizer.model.topological_sort()
    done = quantizer.model.model
    if not symmetric:
        tie_free_scales.avoid_ties(done, model)
    onnx.checker.check_model(done)
    return done


def write(
    network: Network,
    models: dict[str, onnx.ModelProto],
    folder: str | Path,
    name: str,
    note: str,
    made_from: dict[str, str],
) -> Path:
    """Write both parts of a quantised network and the derived TOML; returns the TOML's path.

    ``name`` is the stem of the files' names. ``note`` is a comment at the head of the TOML.
    ``made_from`` is part -> sha256 of the network's files, as its table of ranges has them.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for part, model in models.items():
        data = model.SerializeToString()
        path = folder / f"{name}_{part}.onnx"
        path.write_bytes(data)
        files.append({"part": part, "name": path.name, "sha256": hashlib.sha256(data).hexdigest()})
    table = toml.read(network.path, BadNetwork)
    table["file"] = files
    table["made_from"] = dict(made_from)
    names = {quantisable.base(value.name): value.name for value in models["search"].graph.output}
    if "maps" in table["head"]:
        table["head"]["maps"] = [names.get(name, name) for name in table["head"]["maps"]]
    path = folder / (name + ".toml")
    for entry in filter(None, (network.negatives, network.point_prompt)):
        file = network.locate_made(entry)
        if not (folder / file.name).exists():
            shutil.copy(file, folder / file.name)
    cache.write_text(path, toml_writer.to_toml(table, note))
    return path


def macs(model: onnx.ModelProto) -> dict[str, int]:
    """dict of node name -> multiply-accumulates of the layers of ``weighted_layers``."""
    shapes = counting.shapes_of(model)
    layers = quantisable.weighted_layers(model)
    return {node.name: counting.macs_of(node, shapes) or 0 for node in layers}
