"""Frames that lie in a GPU's memory already, as CuPy, PyTorch, Numba or a decoder give them.

An array says where it lies by ``__cuda_array_interface__`` (version 3). The crop reads it there.
This file needs no GPU and no library of one.
"""

from typing import Any, NamedTuple, Optional, Sequence, Tuple

KINDS = (2, 13)  # DLPack's kDLCUDA and kDLCUDAManaged
MOST_BYTES = (1 << 31) - 1  # the crop counts bytes in 32 bits


class Plane(NamedTuple):
    """An array of bytes in a GPU's memory.

    Attributes:
        address: of its first byte.
        shape, strides: strides in bytes.
        stream: the producer's stream, whose work must be done before it is read, or None.
        owner: what keeps the memory.
    """

    address: int
    shape: Tuple[int, ...]
    strides: Tuple[int, ...]
    stream: Optional[int]
    owner: Any


class OnDevice(NamedTuple):
    """A frame in a GPU's memory.

    Attributes:
        planes: one ``Plane`` of BGR (H, W, 3) or BGRx (H, W, 4); or two of NV12: (H, W), and
            (H/2, W) with U and V in turn.
        shape: (H, W, 3).
    """

    planes: Tuple[Plane, ...]
    shape: Tuple[int, int, int]

    @property
    def size(self) -> Tuple[int, int]:
        """(width, height)."""
        return self.shape[1], self.shape[0]


def is_on_device(array: Any) -> bool:
    """Whether an array lies in a GPU's memory."""
    if hasattr(array, "__cuda_array_interface__"):
        return True
    return hasattr(array, "__dlpack_device__") and int(array.__dlpack_device__()[0]) in KINDS


def is_frame(frame: Any) -> bool:
    """Whether a frame is such an array, or a pair of them."""
    if isinstance(frame, (tuple, list)):
        return len(frame) == 2 and all(map(is_on_device, frame))
    return is_on_device(frame)


def frame_of(frame: Any) -> OnDevice:
    """Return a frame for which ``is_frame`` is true, as the crop reads it.

    Args:
        frame: the array, or the pair (luma, chroma) of NV12.

    Raises:
        ValueError: the crop can't read such an array; says what it can.
    """
    if isinstance(frame, (tuple, list)):
        return _nv12(*map(_plane_of, frame))
    plane = _plane_of(frame)
    if len(plane.shape) != 3 or plane.shape[2] not in (3, 4) or not min(plane.shape):
        raise ValueError(f"an array of {plane.shape} on the GPU; give (H, W, 3), BGR")
    height, width, _ = plane.shape
    row, pixel, channel = plane.strides
    _check(channel == 1 and pixel >= plane.shape[2], row, height)
    return OnDevice((plane,), (height, width, 3))


def _nv12(luma: Plane, chroma: Plane) -> OnDevice:
    if len(chroma.shape) == 3 and chroma.shape[2] == 2 and chroma.strides[1:] == (2, 1):
        shape = chroma.shape[0], 2 * chroma.shape[1]
        chroma = chroma._replace(shape=shape, strides=(chroma.strides[0], 1))
    if len(luma.shape) != 2 or not min(luma.shape):
        raise ValueError(f"luma of {luma.shape} on the GPU; NV12 is (H, W) and (H/2, W)")
    height, width = luma.shape
    if height % 2 or width % 2 or chroma.shape != (height // 2, width):
        raise ValueError(
            f"planes of {luma.shape} and {chroma.shape} on the GPU; NV12 is (H, W) and (H/2, W), "
            "and both are even"
        )
    for plane in (luma, chroma):
        _check(plane.strides[1] == 1, plane.strides[0], plane.shape[0])
    return OnDevice((luma, chroma), (height, width, 3))


def _check(is_dense: bool, row: int, height: int) -> None:
    if not is_dense or not 0 < row * height <= MOST_BYTES:
        raise ValueError("the pixels of a row must lie one after the other; make the array dense")


def _plane_of(array: Any) -> Plane:
    facts = getattr(array, "__cuda_array_interface__", None)
    if facts is None:
        raise ValueError(
            "an array on the GPU that tells its address by DLPack alone; give cupy.from_dlpack(it)"
        )
    shape = tuple(int(side) for side in facts["shape"])
    if facts["typestr"] not in ("|u1", "<u1", ">u1") or facts.get("mask") is not None:
        raise ValueError("an array of {} on the GPU; give uint8".format(facts["typestr"]))
    strides = facts.get("strides") or _dense(shape)
    waited = facts.get("stream")
    return Plane(int(facts["data"][0]), shape, tuple(map(int, strides)), waited, array)


def _dense(shape: Sequence[int]) -> Tuple[int, ...]:
    strides = [1]
    for side in reversed(shape[1:]):
        strides.insert(0, strides[0] * side)
    return tuple(strides)
