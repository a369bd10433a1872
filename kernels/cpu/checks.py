"""What a crop may be asked for; the same for the compiled kernels and their stand-in."""

MAX_SIDE = 1 << 24  # of a window, pixels: float32 places tell neighbours apart up to here


def check_frame(frame, width, height):
    """Raise ``ValueError`` unless ``frame`` is a picture and a window of that size has pixels."""
    if frame.dtype.char != "B" or frame.ndim != 3 or frame.shape[2] != 3 or not frame.size:
        raise ValueError("frame: {} {}".format(frame.dtype, frame.shape))
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise ValueError("a window of {}x{} pixels".format(width, height))


def planes(out):
    """``out`` as (3, h, w), the same memory; ``ValueError`` if no crop can be written to it."""
    view = out[0] if out.ndim == 4 and out.shape[0] == 1 else out
    if view.ndim != 3 or view.shape[0] != 3 or not out.size or out.dtype.char not in "fB":
        raise ValueError("out: {} {}".format(out.dtype, out.shape))
    if not (out.flags.c_contiguous and out.flags.writeable):
        raise ValueError("out must be C-contiguous and writeable")
    return view
