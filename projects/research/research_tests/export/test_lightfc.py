"""LightFC's layers in ncnn's files compute in ONNX what ncnn's documents say."""

import numpy as np
import onnx
import onnxruntime
import pytest

from hotpath.calib.errors import BadRun
from hotpath.runtime.errors import BadNetwork
from hotpath_research.export import lightfc
from hotpath_research.export.lightfc import OnnxWriter

PARAM = """7767517
6 7
Input                    in0                      0 1 in0
Convolution convclip_0 1 1 in0 1 0=4 1=3 -23310=2,0.0,6.0 4=1 5=1 6=72 9=3
Split                    split_0                  1 2 1 2 3
Pooling                  gap_1                    1 1 3 4 0=1 4=1
ConvolutionDepthWise     convsigmoid_2            1 1 4 5 0=4 1=1 5=1 6=4 7=4 9=4
BinaryOp                 mul_3                    2 1 2 5 out0 0=2
"""
RNG = np.random.default_rng(2)
SHAPES = ((4, 2, 3, 3), (4,), (4,), (4,))
KERNEL, BIAS, GATE, OFFSET = (RNG.normal(size=shape).astype(np.float16) for shape in SHAPES)


def write(folder, extra=b"", flag=b"\0\0\0\0"):
    (folder / "lightfc_part.ncnn.param").write_text(PARAM)
    kernels = [(KERNEL, BIAS), (GATE, OFFSET)]
    blob = b"".join(
        flag + k.astype("<f4").tobytes() + b.astype("<f4").tobytes() for k, b in kernels
    )
    (folder / "lightfc_part.ncnn.bin").write_bytes(blob + extra)


def wanted(picture):
    padded = np.pad(picture, ((0, 0), (1, 1), (1, 1)))
    out = np.zeros((4, *picture.shape[1:]))
    for y, x in np.ndindex(*picture.shape[1:]):
        out[:, y, x] = (KERNEL * padded[:, y : y + 3, x : x + 3]).sum((1, 2, 3)) + BIAS
    out = np.clip(out, 0, 6)
    gate = 1 / (1 + np.exp(-(GATE * out.mean((1, 2)) + OFFSET)))
    return out * gate[:, None, None]


def test_layers_become_onnx_that_computes_the_same(tmp_path):
    write(tmp_path)
    writer = OnnxWriter()
    writer.output("out", writer.part(tmp_path, "part", ["in"], "p/"), (1, 4, 5, 6))
    model = writer.model({"in": (1, 2, 5, 6)})
    picture = RNG.normal(size=(2, 5, 6))
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (found,) = session.run(None, {"in": picture[None].astype(np.float32)})
    np.testing.assert_allclose(found[0], wanted(picture), rtol=0, atol=1e-5)
    stored = {t.data_type for t in model.graph.initializer if len(t.dims) == 4}
    assert stored == {onnx.TensorProto.FLOAT16}


def test_files_that_are_not_lightfcs_are_refused(tmp_path):
    with pytest.raises(BadRun, match="LightFC_Deploy"):
        lightfc.graphs(tmp_path)
    for kind in ({"extra": b"12345678"}, {"flag": b"\x47\x6b\x30\x01"}):
        write(tmp_path, **kind)
        with pytest.raises(BadNetwork):
            OnnxWriter().part(tmp_path, "part", ["in"], "p/")
