"""Structures of GStreamer, NvBufSurface and CUDA's EGL frames, for ``nvmm.py``.

Sources: ``gstmemory.h`` of GStreamer 1.0, ``cudaEGL.h`` of CUDA 10.2 to 13, and ``nvbufsurface.h``
of DeepStream 4 to 7 and L4T R34 to R36. Up to what is read here, all releases have one layout.
"""

from ctypes import POINTER, Structure, c_bool, c_size_t, c_uint32, c_uint64, c_void_p

from hotpath.runtime.track.video.v4l2_structs import numbers_of

NV12 = 1  # CU_EGL_COLOR_FORMAT_YUV420_SEMIPLANAR
BY_ROWS = 1  # CU_EGL_FRAME_TYPE_PITCH; an array is block-linear
UINT8 = 1  # CU_AD_FORMAT_UNSIGNED_INT8
MAP_READ = 1  # GST_MAP_READ
LARGEST_SURFACE = 128  # bytes; buffers of R32's nvbuf_utils.h have 1008


class MapInfo(Structure):
    """GstMapInfo."""

    _fields_ = [("memory", c_void_p), ("flags", c_uint32), ("data", c_void_p), ("size", c_size_t)]
    _fields_ += [("rest", c_void_p * 9)]


class SurfaceParams(Structure):
    """NvBufSurfaceParams, with the structures in it."""

    _fields_ = (
        [("sizes_and_kind", c_uint32 * 5), ("descriptor", c_uint64), ("data_size", c_uint32)]
        + [("data", c_void_p), ("plane_count", c_uint32), ("plane_sizes", c_uint32 * 8)]
        + numbers_of("luma_pitch chroma_pitch")
        + [("more_of_planes", c_uint32 * 14), ("reserved_of_planes", c_void_p * 16)]
        + [("mapped", c_void_p * 4), ("egl_image", c_void_p), ("rest", c_void_p * 8)]
    )


class Surface(Structure):
    """NvBufSurface; newer releases have more behind it."""

    _fields_ = numbers_of("gpu batch filled") + [("is_contiguous", c_bool), ("kind", c_uint32)]
    _fields_ += [("pictures", POINTER(SurfaceParams)), ("rest", c_void_p * 4)]


class EglFrame(Structure):
    """CUeglFrame."""

    _fields_ = [("planes", c_uint64 * 3)] + numbers_of("width height depth pitch plane_count")
    _fields_ += numbers_of("channels frame_type colour_format sample_format")
