"""Convert one ONNX model for Rockchip's NPU. Rockchip's toolkit runs this file in its own Python.

    python rknn_convert.py REQUEST.json

REQUEST.json: {"model": path of the ONNX, "out": path of the .rknn, "platform": "rk3588",
"precision": "fp16" or "int8", "shapes": {input: shape}}, and for INT8 "ranges": {tensor: [low,
high]} and "float_layers": [tensor]. The toolkit proposes a range for each tensor, and this file
writes those of the network's own table in their place. It imports nothing else of this project.
"""

import json
import os
import re
import sys
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
from rknn.api import RKNN

Ranges = Dict[str, Sequence[float]]

SAMPLES, BLOCK = 4, 8  # pictures; pixels of one colour
ENTRY = re.compile(r"^    (\S.*):$")  # the name of a tensor in the toolkit's file
# What the toolkit appends to a tensor's name for the same values in another shape or type. Others,
# such as _conv and _sw, are sums of a part of the channels: new tensors.
SUFFIX = re.compile(r"([_-](rs|tp|mm|int8))+")


def convert(path: str) -> Any:
    """Convert what a request names; returns the toolkit with the converted model."""
    with open(path) as file:
        request = json.load(file)
    os.chdir(os.path.dirname(path))  # the toolkit writes into the current folder
    tool = RKNN(verbose=False)
    _check(tool.config(target_platform=request["platform"]), "config")
    _check(tool.load_onnx(request["model"]), "load_onnx")
    if request["precision"] == "int8":
        tool = _quantised(tool, request)
    else:
        _check(tool.build(do_quantization=False), "build")
    _check(tool.export_rknn(request["out"]), "export_rknn")
    return tool


def _quantised(tool: Any, request: Dict[str, Any]) -> Any:
    """Build in INT8 with the given ranges; returns a new toolkit with the result."""
    _write_samples(request["shapes"], request["ranges"])
    _check(tool.hybrid_quantization_step1(dataset="samples.txt", proposal=False), "step 1")
    stem = os.path.splitext(os.path.basename(request["model"]))[0]
    config = stem + ".quantization.cfg"
    with open(config) as file:
        text = file.read()
    with open(config, "w") as file:
        file.write(with_ranges(text, request["ranges"], request["float_layers"]))
    tool.release()
    tool = RKNN(verbose=False)  # the first one refuses step 2
    done = tool.hybrid_quantization_step2(
        model_input=stem + ".model", data_input=stem + ".data", model_quantization_cfg=config
    )
    _check(done, "step 2")
    return tool


def _write_samples(shapes: Dict[str, List[int]], ranges: Ranges) -> None:
    """Write blocks of random colours, of which the toolkit makes its own ranges."""
    random = np.random.RandomState(0)
    lines = []
    for sample in range(SAMPLES):
        names = []
        for number, (name, shape) in enumerate(shapes.items()):
            low, high = ranges.get(name, (-1.0, 1.0))
            values: Any = random.uniform(low, high, shape)
            if len(shape) == 4:  # a picture; else features
                cells = [-(-side // BLOCK) for side in shape[2:]]
                colours = random.uniform(low, high, shape[:2] + cells)
                values = np.kron(colours, np.ones((BLOCK, BLOCK)))[..., : shape[2], : shape[3]]
            names.append(f"sample{sample}-{number}.npy")
            np.save(names[-1], values.astype(np.float32))
        lines.append(" ".join(names))
    with open("samples.txt", "w") as file:
        file.write("\n".join(lines) + "\n")


def with_ranges(text: str, ranges: Ranges, float_layers: Sequence[str]) -> str:
    """Return the toolkit's table with other ranges.

    A tensor that the toolkit adds, such as the sum of a part of the channels, has none. It keeps
    the toolkit's, multiplied by what the other tensors' ranges are multiplied by (the median).

    Args:
        text: text of the file that step 1 writes.
        ranges: dict of tensor -> (low, high).
        float_layers: tensors whose layers compute in float16.
    """
    lines = text.split("\n")
    starts = [i for i, line in enumerate(lines) if ENTRY.match(line)] + [len(lines)]
    entries = [lines[start:end] for start, end in zip(starts, starts[1:])]
    limits_of = [_limits(entry[0].strip()[:-1], ranges) for entry in entries]
    growth = [
        max(-limits[0], limits[1]) / max(-low, high)
        for (low, high), limits in zip(map(_range, entries), limits_of)
        if limits is not None and max(-low, high) > 0
    ]
    factor = float(np.median(growth)) if growth else 1.0
    lines_out = lines[: starts[0]]
    for entry, limits in zip(entries, limits_of):
        low, high = limits or [value * factor for value in _range(entry)]
        lines_out += _with_range(entry, low, high)
    layers = "".join(f"\n    {name}: float16" for name in float_layers)
    return "\n".join(lines_out).replace(
        "custom_quantize_layers: {}", "custom_quantize_layers:" + layers
    )


def _limits(name: str, ranges: Ranges) -> Optional[Sequence[float]]:
    """The range of a tensor, or of the one that it was made from; None if neither has one."""
    names = [
        tensor
        for tensor in ranges
        if name == tensor or (name.startswith(tensor) and SUFFIX.fullmatch(name[len(tensor) :]))
    ]
    return ranges[max(names, key=len)] if names else None


def _range(lines: Sequence[str]) -> Tuple[float, float]:
    """(low, high) of a tensor of the table; zeros where it is no activation in INT8."""
    text = [line.strip() for line in lines]
    if "dtype: int8" not in text or "qmethod: layer" not in text:
        return 0.0, 0.0
    low, high = (float(text[text.index(key) + 1].split()[-1]) for key in ("min:", "max:"))
    return low, high


def _with_range(lines: List[str], low: float, high: float) -> List[str]:
    """A tensor of the table with another range; the toolkit makes the scale from it."""
    before = _range(lines)
    if before == (0.0, 0.0):
        return lines
    result = list(lines)
    for i, line in enumerate(lines[:-1]):
        if line.strip() == "min:":  # a tensor before a ReLU starts at 0, as the toolkit writes it
            result[i + 1] = f"        -   {0.0 if before[0] == 0 else min(low, 0.0)!r}"
        elif line.strip() == "max:":
            result[i + 1] = f"        -   {max(high, 0.0)!r}"
    return result


def _check(code: int, step: str) -> None:
    """End the program when a step of the toolkit failed; it printed why."""
    if code != 0:
        sys.exit(f"{step} failed with {code}")


if __name__ == "__main__":
    convert(sys.argv[1]).release()
