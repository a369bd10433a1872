"""Compare how Hotpath and ffmpeg read recordings of many shapes; `docs/results/recordings.md`.

ffmpeg makes each file, and reads it again without options. Compared are the number of frames, their
times from the first frame on, and their grey levels. Then some frames are searched by number. Where
a packet gets a stray time stamp, the file without it is compared. 16-bit pictures are scaled by the
range of their values.

    python -m hotpath_release.recordings --write docs/results/recordings.csv
"""

import argparse
import csv
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile

import cv2
import numpy as np

from hotpath.runtime.errors import BadSource
from hotpath.runtime.pictures import bgr_of
from hotpath.video.base import SAMPLES
from hotpath.video.depth import scale_for
from hotpath.video.sources import open_source

MOST_GREY, MOST_MS = 2.0, 1.0  # that frames may differ
SEARCHED = 6  # frames of each file
PICTURE = "-f lavfi -i testsrc2=s={size}:r={fps}:d={seconds}"
H264 = "-c:v libx264 -preset veryfast"


def turned(a, b, c, d):
    """A step that writes a display matrix into an MP4 file."""

    def write(path):
        data = bytearray(path.read_bytes())
        at = data.find(b"tkhd") + 44
        values = [value * 65536 for value in (a, b, 0, c, d)]
        struct.pack_into(">9i", data, at, *values, 0, 0, 0, 1 << 30)
        path.write_bytes(data)

    return write


def cut(share):
    """A step that leaves out the end of a file."""

    def write(path):
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * share)])

    return write


def remade(arguments):
    """A step that has ffmpeg copy the file; ``{}`` is the file."""

    def write(path):
        other = path.with_name("first-" + path.name)
        path.replace(other)
        ffmpeg(*arguments.format(other).split(), str(path))

    return write


def joined(times):
    """A step that joins the file with itself, so that its clock starts again."""
    return lambda path: path.write_bytes(path.read_bytes() * times)


def playlist(path):
    """A step that makes a playlist of the file, twice, with a discontinuity between."""
    segment = path.with_name("segment.ts")
    path.replace(segment)
    once = f"#EXTINF:3.0,\n{segment.name}\n"
    head = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:4\n"
    path.write_text(f"{head}{once}#EXT-X-DISCONTINUITY\n{once}#EXT-X-ENDLIST\n")


def stray(packets, seconds):
    """A step that puts some packets' time stamps off, by an expression of ffmpeg."""
    write = remade(
        "-copyts -i {} -c copy -bsf:v setts=pts=if("
        + packets
        + "\\,PTS+"
        + seconds
        + "/TB\\,PTS):dts=DTS"
    )
    write.keeps_right = True
    return write


DEEP = "-vf format=gray16le,geq=lum=7000+lum(X\\,Y)/80"  # a part of 16 bits, as thermal pictures
VFR = "-vf select='not(mod(n\\,3))+lt(n\\,20)+between(mod(n\\,30)\\,5\\,9)' -fps_mode vfr"
PHONE = f"{H264} -bf 2 -g 15"
# name -> (name of the file, arguments of ffmpeg, what is done to the file afterwards)
SHAPES = {
    "MP4, H.264, B-frames": ("a.mp4", f"{H264} -bf 3", None),
    "MP4, H.264 baseline": ("a.mp4", f"{H264} -profile:v baseline", None),
    "MP4, index at the front": ("a.mp4", f"{H264} -movflags +faststart", None),
    "MP4, fragmented": ("a.mp4", f"{H264} -g 12 -movflags frag_keyframe+empty_moov", None),
    "MP4, fragmented, cut off": (
        "a.mp4",
        f"{H264} -g 12 -movflags frag_keyframe+empty_moov",
        cut(0.7),
    ),
    "MP4, index at the front, cut off": ("a.mp4", f"{H264} -movflags +faststart", cut(0.7)),
    "MP4, open GOP": ("a.mp4", f"{H264} -g 12 -bf 3 -x264-params open-gop=1", None),
    "MP4, intra refresh": ("a.mp4", f"{H264} -x264-params intra-refresh=1:keyint=20", None),
    "MP4, HEVC": ("a.mp4", "-c:v libx265 -preset ultrafast -x265-params log-level=none", None),
    "MP4, HEVC, 10 bits": (
        "a.mp4",
        "-c:v libx265 -preset ultrafast -pix_fmt yuv420p10le -x265-params log-level=none",
        None,
    ),
    "MP4, AV1": ("a.mp4", "-c:v libsvtav1 -preset 12", None),
    "MP4, MPEG-4": ("a.mp4", "-c:v mpeg4 -bf 2 -q:v 3", None),
    "MP4, H.264 4:2:2": ("a.mp4", f"{H264} -pix_fmt yuv422p", None),
    "MP4, H.264 4:4:4": ("a.mp4", f"{H264} -pix_fmt yuv444p", None),
    "MP4, H.264, 10 bits": ("a.mp4", f"{H264} -pix_fmt yuv420p10le", None),
    "MP4, full range": ("a.mp4", f"{H264} -vf scale=out_range=full -color_range pc", None),
    "MP4, BT.709": ("a.mp4", f"{H264} -vf scale=out_color_matrix=bt709 -colorspace bt709", None),
    "MP4, BT.2020": (
        "a.mp4",
        f"{H264} -vf scale=out_color_matrix=bt2020 -colorspace bt2020nc",
        None,
    ),
    "MP4, grey": ("a.mp4", f"{H264} -pix_fmt gray", None),
    "MP4, RGB": ("a.mp4", "-c:v libx264rgb -preset veryfast", None),
    "MP4, interlaced": ("a.mp4", f"{H264} -flags +ildct+ilme -x264-params tff=1", None),
    "MP4, interlaced, turned": (
        "a.mp4",
        f"{H264} -flags +ildct+ilme -x264-params bff=1",
        turned(0, 1, -1, 0),
    ),
    "MP4, odd size 177x143": ("a.mp4", f"{H264} -pix_fmt yuv444p -vf crop=177:143", None),
    "MP4, anamorphic 2:1": ("a.mp4", f"{H264} -vf setsar=2", None),
    "MP4, turned by 90": ("a.mp4", PHONE, turned(0, 1, -1, 0)),
    "MP4, turned by 180": ("a.mp4", PHONE, turned(-1, 0, 0, -1)),
    "MP4, turned by 270": ("a.mp4", PHONE, turned(0, -1, 1, 0)),
    "MP4, mirrored": ("a.mp4", PHONE, turned(-1, 0, 0, 1)),
    "MP4, upside down": ("a.mp4", PHONE, turned(1, 0, 0, -1)),
    "MP4, transposed": ("a.mp4", PHONE, turned(0, 1, 1, 0)),
    "MP4, 4:2:2, turned by 90": ("a.mp4", f"{H264} -pix_fmt yuv422p", turned(0, 1, -1, 0)),
    "MP4, variable rate": ("a.mp4", f"{PHONE} {VFR}", None),
    "MP4, variable rate, turned": ("a.mp4", f"{PHONE} {VFR}", turned(-1, 0, 0, -1)),
    "MP4, 1200 FPS": (
        "a.mp4",
        f"{H264} -vf setpts=PTS/48 -r 1200 -video_track_timescale 12000",
        None,
    ),
    "MP4, edit list of a cut": ("a.mp4", f"{H264} -g 300", remade("-ss 0.9 -i {} -c copy")),
    "MP4, edit list with a delay": (
        "a.mp4",
        f"{H264} -bf 2",
        remade("-itsoffset 0.5 -i {} -c copy"),
    ),
    "MP4, cover first": (
        "a.mp4",
        H264,
        remade(
            "-i {0} -i {0} -filter_complex [1:v]trim=end_frame=1[c] -map [c] -map 0:v "
            "-c:v:0 mjpeg -pix_fmt:v:0 yuvj420p -c:v:1 copy"
        ),
    ),
    "MP4, cover attached": (
        "a.mp4",
        H264,
        remade(
            "-i {0} -i {0} -filter_complex [1:v]trim=end_frame=1[c] -map 0:v -map [c] "
            "-c:v:0 copy -c:v:1 mjpeg -pix_fmt:v:1 yuvj420p -disposition:v:1 attached_pic"
        ),
    ),
    "MP4, longer sound": (
        "a.mp4",
        H264,
        remade("-i {} -f lavfi -i anullsrc -t 6 -map 0:v -map 1:a -c:v copy"),
    ),
    "MOV, ProRes": ("a.mov", "-c:v prores_ks -profile:v 2", None),
    "MOV, MJPEG": ("a.mov", "-c:v mjpeg -q:v 2 -pix_fmt yuvj420p", None),
    "MOV, PNG": ("a.mov", "-c:v png", None),
    "MOV, animation": ("a.mov", "-c:v qtrle", None),
    "3GP, H.263": ("a.3gp", "-c:v h263 -s 352x288", None),
    "MKV, H.264, B-frames": ("a.mkv", f"{H264} -bf 3 -g 12", None),
    "MKV, variable rate": ("a.mkv", f"{PHONE} {VFR}", None),
    "MKV, cut off": ("a.mkv", f"{H264} -g 12", cut(0.6)),
    "MKV, FFV1": ("a.mkv", "-c:v ffv1", None),
    "MKV, not searchable": ("a.mkv", f"{H264} -g 12 -live 1", None),
    "WebM, VP8": ("a.webm", "-c:v libvpx -deadline realtime -auto-alt-ref 1 -b:v 500k", None),
    "WebM, VP9": ("a.webm", "-c:v libvpx-vp9 -deadline realtime -b:v 500k", None),
    "WebM, AV1": ("a.webm", "-c:v libsvtav1 -preset 12", None),
    "AVI, MJPEG": ("a.avi", "-c:v mjpeg -q:v 2", None),
    "AVI, MPEG-4 with B-frames": ("a.avi", "-c:v mpeg4 -bf 2 -q:v 3", None),
    "AVI, H.264 with B-frames": ("a.avi", f"{H264} -bf 2", None),
    "AVI, raw": ("a.avi", "-c:v rawvideo -pix_fmt yuv420p", None),
    "AVI, cut off": ("a.avi", "-c:v mpeg4 -q:v 3", cut(0.6)),
    "TS, H.264": ("a.ts", f"{H264} -bf 2 -g 12", None),
    "TS, MPEG-2 interlaced": ("a.ts", "-c:v mpeg2video -flags +ildct+ilme -bf 2 -q:v 3", None),
    "TS, cut off": ("a.ts", f"{H264} -bf 2 -g 12", cut(0.6)),
    "TS, begins inside": (
        "a.ts",
        f"{H264} -bf 2 -g 12",
        lambda path: path.write_bytes(path.read_bytes()[188 * 60 :]),
    ),
    "M2TS": ("a.m2ts", f"{H264} -bf 2", None),
    "MPG, MPEG-2": ("a.mpg", "-c:v mpeg2video -bf 2 -q:v 3", None),
    "MPG, MPEG-1": ("a.mpg", "-c:v mpeg1video -q:v 3", None),
    "VOB, wide pixels": ("a.vob", "-c:v mpeg2video -q:v 3 -s 352x288 -aspect 16:9", None),
    "FLV": ("a.flv", "-c:v flv -q:v 3", None),
    "FLV, H.264": ("a.flv", f"{H264} -bf 2", None),
    "WMV": ("a.wmv", "-c:v wmv2 -q:v 3", None),
    "OGV": ("a.ogv", "-c:v libtheora -q:v 7", None),
    "DV": ("a.dv", "-c:v dvvideo -s 720x576 -pix_fmt yuv420p", None),
    "GIF": ("a.gif", "", None),
    "H.264 without a container": ("a.h264", f"{H264} -bf 2", None),
    "Y4M": ("a.y4m", "-pix_fmt yuv420p", None),
    "MXF": ("a.mxf", "-c:v mpeg2video -q:v 3", None),
    "NUT": ("a.nut", H264, None),
    "TS, a stamp 9000 s off": ("a.ts", f"{H264} -bf 2", stray("eq(N\\,40)", "9000")),
    "TS, a stamp 3 s off": ("a.ts", f"{H264} -bf 0", stray("eq(N\\,30)", "3")),
    "TS, each 20th stamp off": ("a.ts", f"{H264} -bf 0", stray("eq(mod(N\\,20)\\,10)", "9000")),
    "MKV, a stamp 9000 s off": ("a.mkv", f"{H264} -bf 0", stray("eq(N\\,40)", "9000")),
    "MKV, a stamp 3 s off": ("a.mkv", f"{H264} -bf 2", stray("eq(N\\,30)", "3")),
    "MP4, a stamp 9000 s off": ("a.mp4", f"{H264} -bf 2", stray("eq(N\\,40)", "9000")),
    "MP4, each 20th stamp off": ("a.mp4", f"{H264} -bf 0", stray("eq(mod(N\\,20)\\,10)", "9000")),
    "TS, joined": ("a.ts", f"{H264} -bf 2 -g 12", joined(2)),
    "TS, joined, without B-frames": ("a.ts", f"{H264} -bf 0", joined(2)),
    "TS, joined, MPEG-2": ("a.ts", "-c:v mpeg2video -bf 2 -q:v 3", joined(2)),
    "TS, joined, HEVC": (
        "a.ts",
        "-c:v libx265 -preset ultrafast -x265-params log-level=none",
        joined(2),
    ),
    "TS, joined from five": ("a.ts", f"{H264} -bf 3", joined(5)),
    "MPG, joined": ("a.mpg", "-c:v mpeg2video -q:v 3", joined(3)),
    "HLS, a discontinuity": ("a.m3u8", f"{H264} -bf 2 -f mpegts", playlist),
    "APNG": ("a.png", "-f apng -plays 1", None),
    "MKV, FFV1, 16 bits": ("a.mkv", f"{DEEP} -c:v ffv1 -pix_fmt gray16le", None),
    "MKV, FFV1, 12 bits": ("a.mkv", "-vf format=gray12le -c:v ffv1 -pix_fmt gray12le", None),
    "MOV, PNG, 16 bits": ("a.mov", f"{DEEP} -c:v png -pix_fmt gray16be", None),
    "AVI, raw, 16 bits": ("a.avi", f"{DEEP} -c:v rawvideo -pix_fmt gray16le", None),
}


def ffmpeg(*arguments):
    """Run ffmpeg; returns what it writes."""
    command = ["ffmpeg", "-v", "error", "-y", *arguments]
    found = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    return found.stdout


def write(folder, name):
    """Make the file of a shape; returns its path, and that of the file that ffmpeg reads."""
    ending, arguments, after = SHAPES[name]
    path = folder / ending
    source = PICTURE.format(size="320x180", fps=25, seconds=3).split()
    pixels = [] if "pix_fmt" in arguments or "rgb" in arguments else ["-pix_fmt", "yuv420p"]
    if re.search("qtrle|png|^$", arguments):
        pixels = []
    ffmpeg(*source, *pixels, *arguments.split(), str(path))
    right = path
    if getattr(after, "keeps_right", False):
        right = path.with_name("right-" + path.name)
        shutil.copy(str(path), str(right))
    if after:
        after(path)
    return path, right


def by_ffmpeg(path):
    """(grey frames, times from the first one on in seconds) as ffmpeg reads a file."""
    how = ["-i", str(path), "-fps_mode", "passthrough"]
    told = ffmpeg(*how, "-f", "framemd5", "-").decode()
    base = re.search(r"#tb 0: (\d+)/(\d+)", told)
    size = re.search(r"#dimensions 0: (\d+)x(\d+)", told)
    lines = [line for line in told.splitlines() if line.startswith("0,")]
    ticks = [int(line.split(",")[2]) for line in lines]
    times_s = [(t - ticks[0]) * int(base.group(1)) / int(base.group(2)) for t in ticks]
    width, height = map(int, size.groups())
    form = ["-select_streams", "v", "-show_entries", "stream=pix_fmt", "-of", "csv=p=0"]
    told = subprocess.run(["ffprobe", "-v", "error", *form, str(path)], stdout=subprocess.PIPE)
    if re.match(rb"gray1\d[lb]e", told.stdout):
        data = ffmpeg(*how, "-pix_fmt", "gray16le", "-f", "rawvideo", "-")
        deep = np.frombuffer(data, "<u2").reshape(-1, height, width)
        scale, _ = scale_for(list(deep[:: max(1, len(deep) // SAMPLES)]), None)
        return [scale(frame) for frame in deep], times_s
    data = ffmpeg(*how, "-pix_fmt", "bgr24", "-f", "rawvideo", "-")
    frames = np.frombuffer(data, np.uint8).reshape(-1, height, width, 3)
    return [cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in frames], times_s


def by_hotpath(path, planes):
    """(grey frames, times) as Hotpath reads it, and how many of ``SEARCHED`` frames it finds."""
    frames = []
    times_s = []
    found = 0
    with open_source(str(path), planes=planes) as source:
        try:
            frame = source.read()
            while frame is not None:
                frames.append(cv2.cvtColor(bgr_of(frame), cv2.COLOR_BGR2GRAY))
                times_s.append(source.time_s if source.time_s is not None else len(times_s) / 25)
                frame = source.read()
        except BadSource:  # it is cut off, and says so
            pass
        for number in np.random.RandomState(1).randint(0, len(frames), SEARCHED):
            if source.seek(int(number)) and source.given == number:
                grey = cv2.cvtColor(bgr_of(source.read()), cv2.COLOR_BGR2GRAY)
                found += bool(np.abs(grey.astype(int) - frames[number]).max() <= 2)
    return frames, times_s, found


def compared(path, of_ffmpeg, planes):
    """A row of the table: frames of both, differences of times and grey levels, frames found."""
    right, right_s = by_ffmpeg(of_ffmpeg)
    frames, times_s, found = by_hotpath(path, planes)
    count = min(len(right), len(frames))
    grey = [
        np.abs(a.astype(int) - b).mean() if a.shape == b.shape else 255.0
        for a, b in zip(frames, right)
    ]
    late_ms = np.abs(np.subtract(times_s[:count], right_s[:count])).max() * 1e3
    return len(right), len(frames), round(float(late_ms), 2), round(max(grey), 2), found


def main(arguments=None):
    cli = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    cli.add_argument("--write", metavar="FILE.csv", type=pathlib.Path)
    cli.add_argument("--only", metavar="TEXT", default="", help="shapes whose name holds the text")
    options = cli.parse_args(arguments)
    rows, columns = [], "shape,frames,of_ffmpeg,time_ms,grey,bgr_grey,found,as_ffmpeg".split(",")
    for name in [name for name in SHAPES if options.only in name]:
        with tempfile.TemporaryDirectory() as folder:
            paths = write(pathlib.Path(folder), name)
            try:
                right, ours, late_ms, grey, found = compared(*paths, planes=True)
                bgr_grey = compared(*paths, planes=False)[3]
            except (BadSource, IndexError, AttributeError, ValueError) as error:
                print(f"{name}: {error}", file=sys.stderr)
                right, ours, late_ms, grey, bgr_grey, found = 0, 0, 0.0, 255.0, 255.0, 0
        same = ours == right > 0 and late_ms <= MOST_MS and max(grey, bgr_grey) <= MOST_GREY
        same = same and found == SEARCHED
        rows.append([name, ours, right, late_ms, grey, bgr_grey, found, int(same)])
        print(*rows[-1], sep=",", flush=True)
    print(f"{sum(row[-1] for row in rows)} of {len(rows)} as ffmpeg")
    if options.write:
        with open(options.write, "w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([columns, *rows])
    return 0 if all(row[-1] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
