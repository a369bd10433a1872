"""The choice of a decoder: the processor, or hardware that FFmpeg or GStreamer reaches.

Pictures of hardware decoders are copied to the processor's memory, as planes.
"""

from types import ModuleType
from typing import Any, List, Optional

SOFTWARE, AUTO = "software", "auto"
DEVICES = ("cuda", "vaapi", "qsv", "drm")  # FFmpeg's names of kinds of devices
BY_NAME = {"v4l2m2m": "{}_v4l2m2m"}  # decoders with a name of their own, by the codec's
DECODERS = (SOFTWARE, AUTO) + DEVICES + tuple(BY_NAME)


def candidates(av: ModuleType, decoder: str) -> List[str]:
    """Hardware decoders to try for one of ``DECODERS``; "auto" tries all that FFmpeg has."""
    if decoder != AUTO:
        return [decoder] if decoder != SOFTWARE else []
    try:
        from av.codec.hwaccel import hwdevices_available

        devices = list(hwdevices_available())
    except ImportError:  # before PyAV 14
        devices = []
    names = [name for name in DEVICES if name in devices]
    for name, form in BY_NAME.items():
        if any(codec.endswith(form.format("")) for codec in av.codecs_available):
            names.append(name)
    return names


def open_container(av: ModuleType, path: str, name: str, **how: Any) -> Any:
    """Open a video for a hardware decoder.

    Raises:
        ERRORS of this module, and PyAV's.
    """
    if name in BY_NAME:
        return av.open(path, **how)
    from av.codec.hwaccel import HWAccel

    return av.open(path, hwaccel=HWAccel(name, allow_software_fallback=False), **how)


def own_decoder(name: str, stream: Any) -> Optional[str]:
    """FFmpeg's name of the decoder for a stream of PyAV; None for the codec's usual one."""
    if name not in BY_NAME or stream is None:
        return None
    return BY_NAME[name].format(stream.codec_context.codec.name)


# what is raised where a device or a decoder is not there
ERRORS = (OSError, ValueError, ImportError, NotImplementedError, RuntimeError)
