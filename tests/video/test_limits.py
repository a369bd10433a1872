"""A file that lies about its size costs a sentence, and neither memory nor time."""

import http.server
import os
import re
import struct
import subprocess
import sys
import threading
import zlib

import numpy as np
import pytest

from hotpath.video.limits import BUDGETS, MIB, PIXELS
from tests.support.ports import ThreadingHTTPServer

ROOT = os.path.join(os.path.dirname(__file__), os.pardir, os.pardir)
START_S, MOST_BYTES = 10, 3 << 29  # of processor for the imports; of memory
READ_ONE = """
import resource, sys
most = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_DATA, (most, most))
from hotpath.runtime.errors import HotpathError
from hotpath.video.sources import open_source
try:
    with open_source(sys.argv[1]) as source:
        print("frame", source.read().shape)
except HotpathError as error:
    print("sentence", error)
used = resource.getrusage(resource.RUSAGE_SELF)
print("processor", used.ru_utime + used.ru_stime)
"""


def png(width, height, animated=False, rows=0):
    """A PNG of black rows, of which only some are there."""

    def chunk(name, data):
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(1 + width)) for _ in range(rows)) + packer.flush()
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    if animated:
        header += chunk(b"acTL", struct.pack(">II", 2, 0))
        header += chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, width, height, 0, 0, 1, 10, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def jpeg(width, height):
    frame = struct.pack(">HBHHB", 11, 8, height, width, 1) + bytes([1, 0x11, 0])
    scan = struct.pack(">HB", 8, 1) + bytes([1, 0, 0, 63, 0])
    return b"\xff\xd8\xff\xc0" + frame + b"\xff\xda" + scan + bytes(64) + b"\xff\xd9"


def tiff(tags, pages=1, next_page=None, entries=None):
    """A TIFF whose pages have the same tags; ``next_page(number)`` says where the next one is."""
    length = 2 + 12 * len(tags) + 4
    data = bytearray(b"II*\0" + struct.pack("<I", 8))
    for number in range(pages):
        data += struct.pack("<H", entries or len(tags))
        data += b"".join(struct.pack("<HHII", *tag) for tag in tags)
        after = 8 + length * (number + 1) if number < pages - 1 else 0
        data += struct.pack("<I", next_page(number) if next_page else after)
    return bytes(data)


def grey(width, height):
    return [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 8),
        (277, 3, 1, 1),
        (278, 4, 1, height),
        (279, 4, 1, min(width * height, 64)),
    ]


def webp(width, height):
    sides = b"".join((side - 1).to_bytes(3, "little") for side in (width, height))
    data = b"WEBPVP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + sides
    return b"RIFF" + struct.pack("<I", len(data)) + data


def with_tags(count, pages):
    """Pages of so many tags that mean nothing."""
    return tiff(grey(8, 8) + [(60000 + number % 5000, 3, 1, 0) for number in range(count)], pages)


# reader -> (name of a file, its bytes, part of the sentence)
FILES = {
    "picture": [
        ("a.png", lambda: png(30000, 30000), "megapixels"),
        ("a.jpg", lambda: jpeg(65500, 65500), "megapixels"),
        ("a.pgm", lambda: b"P5\n60000 60000\n255\n" + bytes(99), "megapixels"),
        (
            "a.bmp",
            lambda: (
                b"BM"
                + struct.pack("<III", 99, 0, 54)
                + struct.pack("<Iii", 40, 50000, -50000)
                + bytes(99)
            ),
            "megapixels",
        ),
        (
            "a.webp",
            lambda: (
                b"RIFF\x30\0\0\0WEBPVP8L\x20\0\0\0\x2f" + struct.pack("<I", 0x0FFFFFFF) + bytes(30)
            ),
            "megapixels",
        ),
        ("a.tif", lambda: tiff(grey(60000, 60000)), "Pillow|megapixels"),
        ("long.png", lambda: None, "MiB"),
    ],
    "stack": [
        ("a.tif", lambda: tiff(grey(8000, 8000), 200), "pages"),
        ("b.tif", lambda: tiff(grey(8, 8), 2, lambda number: 8), "frame|sentence"),
        ("c.tif", lambda: tiff(grey(8, 8), 60000), "pages"),
        ("d.tif", lambda: with_tags(4000, 700), "pages"),
        ("a.webp", lambda: webp(16777216, 16777216), "Pillow|megapixels"),
    ],
    "video": [
        ("a.png", lambda: png(30000, 30000, True, 30000), "not a video|megapixels"),
        ("b.png", lambda: png(16000, 12000, True, 12000), "megapixels"),
    ],
    "pipe": [("a.png", lambda: png(16000, 12000, True, 12000) * 2, "megapixels|not a video")],
    "stream": [("a.png", lambda: png(16000, 12000, False, 12000), "megapixels|no stream")],
    "parts": [
        ("huge", lambda: b"--a\r\n\r\n" + jpeg(65500, 65500) + b"\r\n--a\r\n", "megapixels"),
        ("endless", lambda: b"--a\r\n\r\n\xff\xd8" + bytes(40 * MIB), "without a boundary"),
        ("headers", lambda: b"--a\r\n" + b"a: b\r\n" * 100000, "without a boundary"),
        ("preamble", lambda: bytes(200000), "without a boundary"),
    ],
}
CASES = [(reader, *case) for reader, cases in FILES.items() for case in cases]


def told(spec, stdin=None):
    """(what the reader says, seconds of the processor) of one source in a process of its own."""
    call = [sys.executable, "-c", READ_ONE, str(spec), str(MOST_BYTES)]
    done = subprocess.run(
        call, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120
    )
    text = done.stdout.decode("utf-8", "replace")
    assert done.returncode == 0 and "processor" in text, text
    return text, float(re.findall("processor ([0-9.]+)", text)[-1])


@pytest.mark.parametrize("reader, name, made, sentence", CASES)
def test_a_file_that_lies_is_refused_within_the_budget(tmp_path, reader, name, made, sentence):
    data, path = made(), tmp_path / name
    if data is None:
        with open(path, "wb") as file:
            file.truncate((BUDGETS[reader].mebibytes + 1) * MIB)
    else:
        path.write_bytes(data)
    if reader in ("parts", "stream"):
        kind = "multipart/x-mixed-replace; boundary=a" if reader == "parts" else "image/png"
        text, cpu_s = served(data, kind)
    elif reader == "pipe":
        with open(path, "rb") as file:
            text, cpu_s = told("-", file)
    else:
        text, cpu_s = told(path)
    assert re.search(sentence, text), text
    assert cpu_s < BUDGETS[reader].cpu_s + START_S


def served(data, kind):
    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            """Print no log."""

        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.end_headers()
            try:
                self.wfile.write(data)
            except OSError:
                pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            return told(f"http://127.0.0.1:{server.server_port}/")
        finally:
            server.shutdown()


def test_pictures_of_ros_are_measured_before_they_are_decoded():
    from types import SimpleNamespace as Message

    from hotpath.runtime.errors import BadSource
    from hotpath.video import ros

    header = Message(stamp=Message(sec=0, nanosec=0))
    for data in (png(30000, 30000), jpeg(65500, 65500)):
        for planes in (False, True):
            message = Message(header=header, format="png", data=np.frombuffer(data, np.uint8))
            with pytest.raises(BadSource, match="megapixels"):
                ros.picture_in(ros.COMPRESSED, message, planes)
    image = Message(header=header, encoding="mono8", height=60000, width=60000, step=60000)
    image.data, image.is_bigendian = bytes(9), 0
    with pytest.raises(BadSource, match="megapixels"):
        ros.picture_in(ros.IMAGE, image, False)


def test_every_reader_with_a_budget_is_lied_to():
    assert set(BUDGETS) == set(FILES) | {"ros"}
    assert PIXELS < 2 * (1 << 30) // 4 // 3 + 1  # what Pillow decodes
    assert all(os.path.basename(name) == name for _, name, _, _ in CASES)


def test_the_table_of_the_security_page_is_that_of_the_readers():
    with open(os.path.join(ROOT, "SECURITY.md"), encoding="utf-8") as file:
        text = file.read().split("## What a frame may cost")[1].split("##")[0]
    assert f"above {PIXELS // 1000000} megapixels" in text
    rows = re.findall(r"^\| ([a-z][^|]*) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", text, re.M)[1:]
    found = {}
    for names, *values in rows:
        for reader in set(BUDGETS) & set(re.findall("[a-z]+", names)):
            found[reader] = tuple(0 if value == "–" else float(value) for value in values)
    assert found == {reader: tuple(map(float, budget)) for reader, budget in BUDGETS.items()}
