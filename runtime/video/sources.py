"""Open any source of frames by one word: camera, stream, video file, folder or sequence.

The kinds themselves live in ``recorded.py`` (files and folders), ``sequence.py`` (the annotations
of VOT, OTB, GOT-10k and UAV123), ``cameras.py`` and ``live.py``.
"""

import os
import re

from runtime.errors import BadSource
from runtime.video.base import WAITING, Source
from runtime.video.cameras import Camera, CsiCamera, Stream, list_cameras
from runtime.video.live import LiveSource
from runtime.video.recorded import FrameFolder, SingleFrame, VideoFile, is_picture

__all__ = ["WAITING", "Source", "list_cameras", "open_source"]

STREAMS = ("rtsp", "rtsps", "http", "https", "udp", "rtp", "rtmp", "tcp", "srt")


def open_source(spec, log=None):
    """Open the source that ``spec`` names.

    Args:
        spec: ``cam0`` or ``/dev/video0`` (V4L2), ``csi0`` (a Jetson's CSI camera), an address
            (``rtsp://``, ``http://``, ``udp://`` and the like), a video file, a picture, a folder
            of frames, or a sequence folder of VOT, OTB, GOT-10k or UAV123.
        log: called with one line of text when something happens that the user should know (a live
            source lost or back); only ever from inside ``read``.

    Returns:
        A ``Source``; use it with ``with`` or call ``close()``.

    Raises:
        NoCamera: there is no such camera, or it can't be used.
        BadSource: anything else that gives no frame; the sentence says why.
    """
    spec = os.fspath(spec)
    camera = re.match(r"(?:cam|/dev/video)(\d+)$", spec)
    if camera:
        return LiveSource(Camera(int(camera.group(1))), log)
    csi = re.match(r"csi(\d+)$", spec)
    if csi:
        return LiveSource(CsiCamera(int(csi.group(1))), log)
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", spec)
    if scheme:
        return _open_address(spec, scheme.group(1).lower(), log)
    return _open_path(spec, log)


def _open_address(spec, scheme, log):
    """A stream, or a recording that a web server holds."""
    if scheme == "file":
        return _open_path(spec[len("file://") :], log)
    if scheme not in STREAMS:
        raise BadSource(
            "{}: {}:// is no kind of stream known here; use one of {}".format(
                spec, scheme, ", ".join(name + "://" for name in STREAMS)
            )
        )
    return LiveSource(Stream(spec), log)


def _open_path(path, log):
    """A folder, a picture or a video file."""
    if not path:
        raise BadSource("no video given; use --video with a camera, an address, a file or a folder")
    if not os.path.exists(path):
        raise BadSource("{}: no such file or folder, and no camera's name (cam0)".format(path))
    if os.path.isdir(path):
        return FrameFolder(path, log)
    return SingleFrame(path, log) if is_picture(path) else VideoFile(path, log)
