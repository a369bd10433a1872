"""Which decoder decodes a video: the processor, or hardware that FFmpeg reaches.

Pictures of hardware decoders are copied to the processor's memory, as planes.
"""

from typing import Any, Callable, List, Optional, Tuple

SOFTWARE, AUTO = "software", "auto"
DEVICES = ("cuda", "vaapi", "qsv", "drm")  # FFmpeg's names of kinds of devices
BY_NAME = {"v4l2m2m": "{}_v4l2m2m"}  # decoders with a name of their own, by the codec's
DECODERS = (SOFTWARE, AUTO) + DEVICES + tuple(BY_NAME)

Opener = Callable[..., Any]  # (hwaccel=None) -> a container of PyAV
Maker = Callable[[Any, Optional[str]], Any]  # (container, name of a decoder) -> a capture


def open_capture(av: Any, decoder: str, container: Opener, capture: Maker) -> Tuple[Any, str]:
    """Open a video with a decoder, or with the processor where that does not decode it.

    Args:
        av: PyAV.
        decoder: one of ``DECODERS``; "auto" tries all hardware decoders that there are.
        container: opens the video.
        capture: makes a capture of it, and decodes its first frame.

    Returns:
        (the capture, a sentence about its decoder); no sentence where the processor was asked for.

    Raises:
        what ``container`` raises where the processor can't open the video either.
    """
    problems = []
    for name in _candidates(av, decoder):
        try:
            found = _with_hardware(av, name, container, capture)
        except _errors(av) as error:
            problems.append(f"{name}: {str(error).strip() or type(error).__name__}")
            continue
        if found.isOpened():
            return found, f"decoded by {name}"
        found.release()
        problems.append(f"{name}: decodes no frame")
    note = ""
    if decoder != SOFTWARE:
        why = "; ".join(problems) or f"this PyAV {av.__version__} has no hardware decoder"
        note = f"decoded by the processor ({why})"
    return capture(container(), None), note


def _candidates(av: Any, decoder: str) -> List[str]:
    """Hardware decoders to try."""
    if decoder == SOFTWARE:
        return []
    if decoder != AUTO:
        return [decoder]
    try:
        from av.codec.hwaccel import hwdevices_available

        devices = list(hwdevices_available())
    except ImportError:  # before PyAV 14
        devices = []
    found = [name for name in DEVICES if name in devices]
    codecs = av.codecs_available
    for name, form in BY_NAME.items():
        if any(codec.endswith(form.format("")) for codec in codecs):
            found.append(name)
    return found


def _with_hardware(av: Any, name: str, container: Opener, capture: Maker) -> Any:
    if name in BY_NAME:
        opened = container()
        videos = opened.streams.video
        codec = videos[0].codec_context.codec.name if videos else "nothing"
        return capture(opened, BY_NAME[name].format(codec))
    from av.codec.hwaccel import HWAccel

    return capture(container(hwaccel=HWAccel(name, allow_software_fallback=False)), None)


def _errors(av: Any) -> Tuple[Any, ...]:
    """What PyAV raises where a device or a decoder is not there."""
    return (av.FFmpegError, OSError, ValueError, ImportError, NotImplementedError, RuntimeError)
