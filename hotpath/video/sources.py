"""Open any source of frames by its name: camera, stream, video file, folder or sequence.

The sources are in ``recorded.py`` (videos), ``folder.py`` (pictures), and ``live.py``
(cameras and streams, which ``cameras.py`` opens). ``sequence.py`` reads the annotations
of VOT, OTB, GOT-10k and UAV123.
"""

import numbers
import os
import re
import stat
from typing import Any, List, Optional, Tuple
from urllib.parse import unquote

from hotpath.base.messages import did_you_mean
from hotpath.base.projects import import_source
from hotpath.runtime.errors import BadSource
from hotpath.runtime.frames.camera_frames import can_read_planes
from hotpath.video import limits
from hotpath.video.base import WAITING, Log, Source, check_readable, is_picture
from hotpath.video.encoded import holds_several

# What opens one kind of source is imported where such a source is opened.

__all__ = ["WAITING", "Source", "check_camera", "is_recorded", "open_source", "reads", "source_of"]

TOPIC = "ros:"  # before a topic of ROS 2
AUTO = "auto"  # of the decoders
CAMERA = re.compile(r"(?:cam(\d+)|(.+?))(?:@(\d+)x(\d+))?$", re.DOTALL)  # by number or device
UNPLUGGED = re.compile(r"/dev/(v4l/|[^/]+$)")  # names of devices that are not there now
VIDEO4LINUX = 81  # major number of its devices
MOST_NAMES = 10000  # of a folder, among which one that is like a missing file is looked for
STREAMS = ("rtsp", "rtsps", "http", "https", "udp", "rtp", "rtmp", "tcp", "srt")


def source_of(given: Any) -> Any:
    """A source as a name or a list of names, from what a program or a command line gives.

    A number is a camera, as for ``cv2.VideoCapture``.

    Raises:
        BadSource: it is frames, an opened capture or a pipeline; the sentence says what to call.
    """
    if isinstance(given, (list, tuple)) and all(isinstance(n, (str, os.PathLike)) for n in given):
        return [os.fspath(name) for name in given]
    if isinstance(given, (int, numbers.Integral)) and not isinstance(given, bool):
        if int(given) >= 0:
            return f"cam{int(given)}"
    if isinstance(given, (str, bytes, os.PathLike)):
        name = os.fsdecode(given)
        if re.match("[0-9]+$", name) and not os.path.lexists(name):
            raise BadSource(
                f"{name}: no such file or folder; the camera of that number is cam{int(name)}",
                what="not found",
            )
        if re.search(r"\s!\s", name) and not os.path.lexists(name):
            raise BadSource(
                f"{name}: a GStreamer pipeline is not a source; name a Jetson's camera csi0 and "
                "others cam0, or put our element hotpathtrack into it (docs/gstreamer.md)",
                what="pipeline",
            )
        return name
    kind = type(given).__name__
    raise BadSource(
        f"{'frames' if kind in ('list', 'tuple', 'ndarray') else kind}: not a source; name a "
        "camera (cam0), an address or a file. If your program has its own frames, give each one to "
        "a tracker: tracker = hotpath.load_tracker(), tracker.init(frame, box), then "
        "tracker.update(frame)",
        what="not a source",
    )


def open_source(
    spec: Any,
    log: Log = None,
    fps: Optional[float] = None,
    depth: Optional[int] = None,
    planes: bool = False,
    decoder: str = AUTO,
    insecure: bool = False,
) -> Source:
    """Open the source that ``spec`` names.

    Args:
        spec: a source as ``hotpath track`` takes it, such as ``cam0``, ``csi0``, an address, a file
            or a folder of pictures; or a list of the paths of pictures.
        log: function that takes one line of text for the user, such as that a camera was lost.
        fps: frames a second of a recording. It replaces the rate that the recording states.
        depth: used bits of 16-bit pictures. None takes each picture's own range.
        planes: whether frames may be ``Picture``s, which need no conversion, if the source and the
            kernels support that. Otherwise all frames are BGR arrays.
        decoder: what decodes H.264 and the like: ``auto`` takes the board's hardware where there
            is some, ``software`` none; or a name of ``hotpath.video.hardware.DECODERS``.
        insecure: whether an address by TLS may have any certificate, as cameras have.

    Returns:
        A ``Source``. ``read()`` returns the next frame, BGR uint8 (H, W, 3) or a ``Picture``. It
        returns ``WAITING`` (of ``hotpath.video.base``) if a live source has no new
        frame within a second, and None at the end. ``time_s`` is the frame's time for ``update``.
        ``close()`` releases the source, as ``with`` does.

    Raises:
        NoCamera: there is no such camera, or it can't be used.
        BadSource: another source gives no frame; the sentence says why.

    Example:
        >>> with open_source("drone.mp4") as video:
        ...     frame = video.read()
        ...     frame.shape, video.time_s
        ((480, 640, 3), 0.0)
    """
    planes = planes and can_read_planes()
    opened = _opened(source_of(spec), log, depth, planes, decoder, insecure)
    if fps and not opened.live:
        opened.fps, opened.by_rate = fps, True
    return opened


def _opened(
    spec: Any, log: Log, depth: Optional[int], planes: bool, decoder: str, insecure: bool
) -> Source:
    if isinstance(spec, list):
        from hotpath.video.folder import FrameFolder

        return FrameFolder(spec, log, depth)
    if camera_of(spec) or _is_csi(spec):
        from hotpath.video.live import open_camera

        return open_camera(spec, camera_of(spec), log, depth, planes)
    bag = bag_of(spec)
    if spec.startswith(TOPIC) or (bag and os.path.exists(bag[0])):
        opened: Source = import_source("ros", f"{spec}: a topic or bag of ROS").open_source(
            spec, bag, log, planes, depth
        )
        return opened
    scheme = _scheme(spec)
    if scheme and scheme != "file":
        if scheme not in STREAMS:
            raise BadSource(
                "{}: streams by {}:// are not supported; use one of {}".format(
                    spec, scheme, ", ".join(name + "://" for name in STREAMS)
                ),
                what="unknown scheme",
            )
        from hotpath.video.live import open_address

        return open_address(spec, log, depth, planes, _decoder(decoder, log, spec), insecure)
    return _open_path(_path_of(spec), log, depth, planes, decoder)


def _decoder(asked: str, log: Log, spec: str) -> Any:
    from hotpath.video.base import without_password
    from hotpath.video.hardware import Decoder

    return Decoder(asked, log, without_password(spec))


def bag_of(spec: str) -> Optional[Tuple[str, str]]:
    """(path, topic) where ``spec`` names a bag of ROS, else None.

    A folder without metadata, as a recorder that was killed leaves it, is one by its files.
    """
    path, _, topic = spec.partition("#")
    if path.endswith((".mcap", ".db3", ".bag")):
        return path, topic
    try:
        with open(os.path.join(path, "metadata.yaml"), "rb") as file:
            return (path, topic) if b"rosbag2_bagfile" in file.read(200) else None
    except OSError:
        names = os.listdir(path) if os.path.isdir(path) and os.access(path, os.R_OK) else []
        return (path, topic) if any(name.endswith((".mcap", ".db3")) for name in names) else None


def reads(spec: Any) -> List[str]:
    """List the files that ``open_source(spec)`` reads, so that no output overwrites one of them.

    Returns:
        A list of paths: the video or the picture, or all pictures and the annotation of a folder.
        It is empty for cameras, streams and missing files.
    """
    if isinstance(spec, (list, tuple)):
        return list(spec)
    path = _path_of(os.fspath(spec))
    if os.path.isfile(path):
        return [path]
    from hotpath.video import folder, sequence

    if not os.path.isdir(path):
        return folder.pictures_like(path)
    try:
        paths = folder.picture_paths(path)
    except BadSource:
        return []
    annotation = sequence.find_annotation(path)
    return paths + ([annotation.path] if annotation else [])


def check_camera(spec: Any) -> None:
    """Raise ``NoCamera`` if a source is a V4L2 camera that is not there."""
    camera = None if isinstance(spec, (list, tuple)) else camera_of(os.fspath(spec))
    if camera:
        from hotpath.video.cameras import V4l2Camera

        V4l2Camera(camera[0]).check()


def camera_of(spec: str) -> Optional[Tuple[str, Optional[Tuple[int, int]]]]:
    """(path of the device, asked (width, height) or None) of a V4L2 camera; None for other sources.

    A camera is named by its number, its device, or a link to it, such as udev's lasting names in
    ``/dev/v4l/by-id``. The path stays that of the link, which may lead elsewhere after a replug.
    """
    match = CAMERA.match(spec)
    if match is None:
        return None
    number, path, width, height = match.groups()
    size = (int(width), int(height)) if width and int(width) and int(height) else None
    if number is not None:
        return f"/dev/video{number}", size
    try:
        is_camera = bool(re.match(r"/dev/video\d+$", os.path.realpath(path)))
        if not is_camera:
            status = os.stat(path)
            is_camera = stat.S_ISCHR(status.st_mode) and os.major(status.st_rdev) == VIDEO4LINUX
    except (OSError, ValueError):  # not there, or no path
        is_camera = bool(UNPLUGGED.match(path))
    return (path, size) if is_camera else None


def is_recorded(spec: Any) -> bool:
    """Whether a source is files of this computer; else it is a camera, a topic or a stream."""
    if isinstance(spec, (list, tuple)):
        return True
    spec = os.fspath(spec)
    live = camera_of(spec) or spec.startswith(TOPIC) or _is_csi(spec)
    return not live and _scheme(spec) not in STREAMS


def _is_csi(spec: str) -> bool:
    return bool(re.match(r"csi\d+([@/]|$)", spec)) and not os.path.exists(spec)


def _scheme(spec: str) -> Optional[str]:
    """``rtsp`` of ``rtsp://host/``; None if it is no address."""
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", spec)
    return match.group(1).lower() if match else None


def _path_of(spec: str) -> str:
    """Return the path in ``file://PATH``, and anything else unchanged; ``%20`` is a blank there."""
    if _scheme(spec) != "file":
        return spec
    return unquote(re.sub("^file://(localhost(?=/))?", "", spec, flags=re.IGNORECASE))


def _open_path(path: str, log: Log, depth: Optional[int], planes: bool, decoder: str) -> Source:
    """A folder, a picture or a video file."""
    if path == "-" or (os.path.exists(path) and stat.S_ISFIFO(os.stat(path).st_mode)):
        from hotpath.video.recorded import PipedVideo

        return PipedVideo(path, log, planes, depth)
    if not path:
        raise BadSource(
            "no video given; use --video with a camera, an address, a file or a folder",
            what="no video",
        )
    is_file = os.path.exists(path) and not os.path.isdir(path)
    if is_animation(path) or (is_file and not is_picture(path)):
        from hotpath.video.recorded import VideoFile

        return VideoFile(path, log, planes, depth, _decoder(decoder, log, path))
    from hotpath.video.folder import FrameFolder, pictures_like

    if not os.path.exists(path):
        pictures = pictures_like(path)
        if pictures:
            return FrameFolder(pictures, log, depth, name=path)
        hint = _alike(path) or "check the path; a camera is called cam0 or csi0"
        raise BadSource(f"{path}: no such file, folder or pictures; {hint}", what="not found")
    return FrameFolder(path, log, depth)


def _alike(path: str) -> str:
    """Return "did you mean film.mp4?" if the folder has a file of nearly that name, else ""."""
    folder, name = os.path.split(path)
    try:
        there = os.listdir(folder or ".")[:MOST_NAMES]
    except OSError:
        return ""
    return did_you_mean(name, sorted(there), os.path.join(folder, ""))


def is_animation(path: str) -> bool:
    """Whether a picture file is an animation that FFmpeg reads as a video: an animated PNG.

    Raises:
        BadSource: it holds several pictures, as a TIFF, a WebP, HEIC or an old GIF.
    """
    if not os.path.isfile(path):
        return False
    check_readable(path)
    with open(path, "rb") as file:
        head = file.read(limits.HEAD if is_picture(path) else limits.LEAST)
        if head.startswith(limits.TIFF) and is_picture(path):  # whose heads may stand at its end
            limits.check_bytes(path, os.path.getsize(path))
            head += file.read()
    if limits.is_animated_png(head):
        return True
    is_stereo = path.lower().endswith(".mpo")
    if is_stereo or limits.is_collection(head) or (is_picture(path) and holds_several(head)):
        raise BadSource(
            f"{path} holds several pictures, or one in tiles; make a folder of them, such as with "
            "ImageMagick: `convert FILE pictures/%06d.png`",
            what="several pictures",
            where=path,
        )
    return False
