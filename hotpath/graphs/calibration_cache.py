"""Write TensorRT's calibration cache. A board's builder takes the ranges from it.

Each tensor has a line ``name: 3c010a14``: the float32 scale (greatest magnitude / 127) as
big-endian hexadecimal. The first line names the version of TensorRT; other versions refuse the
cache. TensorRT 11 reads no cache and takes the Q/DQ form.
"""

import re
import struct
from typing import Dict

import numpy as np

from hotpath.graphs.errors import BadRangeTable

LEVELS = 127


def header(version: str) -> str:
    """The first line for a version such as "8.2.1" or "10.3.0"."""
    numbers = re.findall(r"[0-9]+", str(version))[:3]
    if not numbers or not re.match(r"[0-9]", str(version)):
        raise BadRangeTable(
            f"TensorRT {version!r} is not a version; give one such as 8.2.1 or 10.3.0",
            what="not a version",
        )
    major, minor, patch = ([int(number) for number in numbers] + [0, 0])[:3]
    if major >= 11:
        raise BadRangeTable(
            f"TensorRT {version} reads no calibration cache; use the Q/DQ network "
            "(NAME-int8-symmetric.toml)",
            what="too new",
        )
    number = major * (10000 if major >= 10 else 1000) + minor * 100 + patch
    return f"TRT-{number}-EntropyCalibration2"


def scales(amax: Dict[str, float]) -> Dict[str, str]:
    """dict of tensor -> its scale as 8 hexadecimal digits, from its greatest magnitude."""
    values = {name: np.float32(value) / np.float32(LEVELS) for name, value in amax.items()}
    return {name: struct.pack(">f", value).hex() for name, value in values.items()}


def text(scales: Dict[str, str], version: str) -> str:
    """Return the cache's text for what ``scales`` gives."""
    for name in scales:
        if "\n" in name or "\r" in name:
            raise BadRangeTable(
                f"the tensor name {name!r} spans lines; rename it in the ONNX", what="spans lines"
            )
    return "\n".join([header(version), *(f"{n}: {digits}" for n, digits in scales.items()), ""])
