"""Each reader of foreign bytes has limits, and refuses malformed inputs.

The reader must refuse it in a sentence, in little time and memory, before a library sees it.
"""

import pathlib
import re
import subprocess
import sys
import time
from types import SimpleNamespace as Message

import numpy as np
import pytest

from hotpath.app.option_records import LinkOptions
from hotpath.base import toml
from hotpath.runtime.errors import BadNetwork, BadOutput, BadSource
from hotpath.runtime.identity.learner import negatives
from hotpath.runtime.networks import bundle, npz
from hotpath.video import limits, probe, sequence
from hotpath.video.sources import open_source
from hotpath_bridges import mqtt, ros
from tests.support import ROOT, malformed
from tests.support.malformed import jpeg, png, tiff, webp

MOST_S, MOST_MIB = 9, 256  # of the processor, and of memory, as SECURITY.md says
READ_ONE = """
import contextlib, importlib, pathlib, re, resource, sys, time
from hotpath.runtime.errors import HotpathError
from tests.test_budgets import ROWS
for library in ("av", "cv2", "onnx"):  # which are no cost of the reader
    with contextlib.suppress(ImportError):
        importlib.import_module(library)
resource.setrlimit(resource.RLIMIT_DATA, (3 << 29, 3 << 29))

def memory(key):
    return int(re.search(key + r":\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1])

began, before = time.process_time(), memory("VmRSS")
try:
    print("read", ROWS[sys.argv[1]][0](sys.argv[2]))
except HotpathError as error:
    print("sentence", error)
print("cost", time.process_time() - began, (memory("VmHWM") - before) / 1024)
"""


def shape(place):
    """That of the first frame of a source, after all of its frames."""
    with open_source(place) as source:
        found = source.read().shape
        while not source.live and source.read() is not None:
            pass
        return found


def message(path):
    """A message of ROS that has the bytes of a file."""
    data = np.fromfile(path, np.uint8)
    header = Message(stamp=Message(sec=0, nanosec=0), frame_id="")
    if path.endswith(".raw"):
        sides = dict(height=60000, width=60000, step=60000)
        raw = Message(header=header, encoding="mono8", data=data, is_bigendian=0, **sides)
        return ros.picture_in(ros.IMAGE, raw, False)
    planes = path.endswith(".planes")
    return ros.picture_in(ros.COMPRESSED, Message(header=header, format="", data=data), planes)


def truth(path):
    """The boxes of a file, or those beside a file of flags."""
    if not path.endswith("label"):
        return sequence.Annotation(path).boxes()
    boxes = pathlib.Path(path).with_name("groundtruth.txt")
    boxes.write_text("1,2,3,4\n" * 9)
    return sequence.Annotation(str(boxes)).boxes()


def bundle_of(path):
    """The bundle in the folder of a file."""
    return bundle.Bundle(pathlib.Path(path).parent)


def publish(address):
    """What a link to a broker says first."""
    messages = []
    link = mqtt.MqttLink(LinkOptions(publish=address, video="cam0"), messages.append)
    until_s = time.monotonic() + 60
    while not messages and time.monotonic() < until_s:
        time.sleep(0.02)
    link.close()
    raise BadOutput(messages[0] if messages else "nothing")


def network(path):
    """Needs the package onnx, unlike the table."""
    from hotpath.graphs import models

    return models.read(pathlib.Path(path))


LARGE = png(16000, 12000, rows=12000)


def flooding():
    """What a broker sends: that it accepts, then a packet of 266 MB."""
    pytest.importorskip("paho.mqtt.client")
    return b"\x20\x02\0\0\x30\x80\x80\x80\x7f" + bytes(1 << 20)


FRAME = f"{limits.PIXELS // limits.MEGA} megapixels"
FILE = f"{limits.FILE_MIB} MiB"
LONG = (limits.FILE_MIB + 1) * limits.MIB
# reader: (function, limits, {lie: (file or protocol, bytes or length, part of the sentence)})
ROWS = {
    "picture, `hotpath/video/limits.py`": (
        shape,
        {
            "PNG": ("a.png", lambda: png(30000, 30000), "megapixels"),
            "JPEG": ("a.jpg", lambda: jpeg(65500, 65500), "megapixels"),
            "PGM": ("a.pgm", lambda: b"P5\n60000 60000\n255\n" + bytes(99), "megapixels"),
            "BMP": ("a.bmp", lambda: malformed.bmp(50000, 50000), "megapixels"),
            "WebP": ("a.webp", lambda: webp(b"VP8L", b"\x2f\xff\xff\xff\x0f"), "megapixels"),
            "TIFF": ("a.tif", lambda: tiff(60000, 60000), "megapixels"),
            "60,000 pages": ("a.tif", lambda: tiff(8, 8, 60000), "several pictures"),
            "4,000 tags": ("a.tif", lambda: tiff(60000, 60000, 1, 4000), "megapixels"),
            "a long file": ("a.png", lambda: LONG, "MiB"),
        },
    ),
    "video": (
        shape,
        {
            "APNG": ("a.png", lambda: png(30000, 30000, True, 30000), "not a vid|mega"),
            "smaller APNG": ("a.png", lambda: png(16000, 12000, True, 12000), "not a vid|mega"),
            "a larger frame than stated": (
                "a.avi",
                lambda: malformed.film([LARGE] * 2),
                "not a vid|mega",
            ),
        },
    ),
    "pipe": (
        shape,
        {
            "APNG by a pipe": (
                "-",
                lambda: png(16000, 12000, True, 12000) * 2,
                "megapixels|not a video",
            )
        },
    ),
    "stream": (
        shape,
        {
            "PNG by HTTP": (
                "picture",
                lambda: png(16000, 12000, False, 12000),
                "megapix|did not open",
            )
        },
    ),
    "Motion JPEG over HTTP": (
        shape,
        {
            "a large frame": ("parts", lambda: malformed.part(jpeg(65500, 65500)), "megapixels"),
            "a part without an end": (
                "parts",
                lambda: malformed.part(b"\xff\xd8" + bytes(40 * limits.MIB)),
                "without a b",
            ),
            "headers without an end": (
                "parts",
                lambda: b"--a\r\n" + b"a: b\r\n" * 100000,
                "without a boundary",
            ),
            "a preamble": ("parts", lambda: bytes(200000), "without a boundary"),
        },
    ),
    "pictures of ROS": (
        message,
        {
            "PNG of ROS": ("a", lambda: png(30000, 30000), "megapixels"),
            "PNG for planes": ("a.planes", lambda: png(30000, 30000), "megapixels"),
            "JPEG of ROS": ("a", lambda: jpeg(65500, 65500), "megapixels"),
            "JPEG for planes": ("a.planes", lambda: jpeg(65500, 65500), "megapixels"),
            "60,000 rows": ("a.raw", lambda: bytes(9), "megapixels"),
        },
    ),
    "truth of sequences, `hotpath/video/sequence.py`": (
        truth,
        {
            "12 GB": ("groundtruth.txt", lambda: 12 << 30, "MiB"),
            "ten million lines": ("groundtruth.txt", lambda: b"\n" * 10**7, "lines"),
            "12 GB of flags": ("absence.label", lambda: 12 << 30, "MiB"),
        },
    ),
    "bundles: `bundle.json`, `hotpath/runtime/networks/bundle.py`": (
        bundle_of,
        {
            "12 GB of JSON": ("bundle.json", lambda: 12 << 30, "bytes"),
            "brackets of JSON": ("bundle.json", lambda: b"[" * 200000, "nested"),
        },
    ),
    "a broker of MQTT, `hotpath_bridges/mqtt.py`": (
        publish,
        {"a packet of 266 MB": ("mqtt", flooding, "sends a packet of")},
    ),
    "TOML, `hotpath/base/toml.py`": (
        lambda place: toml.read(pathlib.Path(place), BadNetwork),
        {
            "a key of 50,000 parts": ("a", lambda: b".".join([b"a"] * 50000) + b" = 1", "dots"),
            "a file of 16 MB": ("a", lambda: b"#" * (1 << 24), "."),
            "brackets in brackets": ("a", lambda: b"a = " + b"[" * 50000, "."),
            "a file without an end": ("/dev/zero", lambda: None, "."),
        },
    ),
    "ONNX, all: networks, detectors, heads, bundles, `hotpath/runtime/networks/onnx_budget.py`": (
        network,
        {
            "a loop": ("a", lambda: malformed.inside("Loop", 1), "Loop"),
            "a scan": ("a", lambda: malformed.inside("Scan", 1), "Scan"),
            "nested graphs": ("a", lambda: malformed.inside("If", 11), "deeper"),
            "functions that double": ("a", lambda: malformed.doubling(40), "."),
            "30,000 nodes": (
                "a",
                lambda: malformed.network(*[malformed.node("Identity")] * 30000),
                "nodes",
            ),
            "a terabyte": ("a", lambda: 1 << 40, "bytes"),
            "2 GiB in another file": ("a", lambda: malformed.beside(2 << 30), "bytes"),
            "the same file 200 times": ("a", lambda: malformed.beside(*[8 << 20] * 200), "bytes"),
            "a field without an end": ("a", lambda: b"\x3a\xff\xff\xff\xff\x7f" + bytes(20), "."),
        },
    ),
    "NumPy archives, `hotpath/runtime/networks/npz.py`": (
        negatives.read,
        {
            "64 MB of zeros": ("a", lambda: malformed.npz((1 << 26,), 1 << 26), "."),
            "a shape of 2^40": ("a", lambda: malformed.npz((1 << 40,), 1), "."),
            "a hundred arrays": ("a", lambda: malformed.npz((1,), 1, arrays=100), "."),
            "an empty archive": ("a", lambda: b"", "."),
            "Python objects": ("a", lambda: malformed.npz((1,), 8, "|O"), "."),
        },
    ),
    "redirects of RTSP, `hotpath/video/probe.py`": (
        shape,
        {"redirects in a circle": ("rtsp", lambda: 1 << 20, "redirects")},
    ),
}
LIES = [(reader, lie) for reader, (_, row) in ROWS.items() for lie in row]


@pytest.mark.parametrize("reader, lie", LIES)
def test_what_lies_is_refused_in_a_sentence_and_costs_little(tmp_path, reader, lie):
    place, make, sentence = ROWS[reader][1][lie]
    how = dict(stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=str(ROOT))
    with malformed.opened(tmp_path, place, make()) as (place, stdin):
        call = [sys.executable, "-c", READ_ONE, reader, str(place)]
        done = subprocess.run(call, stdin=stdin, timeout=120, **how)
    text = done.stdout.decode("utf-8", "replace")
    refused = re.search(r"^sentence (.{9,600})\ncost (\S+) (\S+)$", text, re.M)
    assert refused and re.search(sentence, refused[1]), text
    assert float(refused[2]) < MOST_S and float(refused[3]) < MOST_MIB, text


def test_what_is_within_the_budget_is_read(tmp_path):
    np.savez_compressed(str(tmp_path / "a.npz"), rows=np.arange(6).reshape(2, 3), scale=np.ones(2))
    archive = npz.read(str(tmp_path / "a.npz"))
    assert archive["rows"].tolist() == [[0, 1, 2], [3, 4, 5]] and archive["scale"].shape == (2,)
    (tmp_path / "a.toml").write_text("a.b.c = [0.5, 1.5]")
    assert toml.read(tmp_path / "a.toml", BadNetwork) == {"a": {"b": {"c": [0.5, 1.5]}}}
    with malformed.opened(tmp_path, "a.tif", tiff(8, 8)) as (place, _):
        assert shape(place) == (8, 8, 3)


def test_few_redirects_are_followed():
    with malformed.redirecting(5) as (address, asked):
        probe.check_redirects(address)
        assert len(asked) >= 6
    with malformed.redirecting(30) as (address, asked):
        with pytest.raises(BadSource):
            probe.check_redirects(address)
        assert len(asked) <= probe.REDIRECTS + 2
