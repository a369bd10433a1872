"""Runs pipelines with ``hotpathtrack`` in the system's Python, and prints lines of JSON.

python3 pipelines.py memory|boxes|lost|back true|seen bt709
"""

import json
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstVideo", "1.0")
from gi.repository import Gst, GstVideo  # noqa: E402

Gst.init(None)
BALL = "videotestsrc pattern=ball num-buffers={} ! video/x-raw,format={},width=320,height=240 ! "
START = "box=140,100,40,40"


def tell(**event):
    print(json.dumps(event), flush=True)


def play(text, after, before=None):
    """Run with ``before`` and ``after`` on each buffer of element ``t``; return its states."""
    pipeline = Gst.parse_launch(text + " ! fakesink")
    element = pipeline.get_by_name("t")
    states = []

    def look(pad, info, function):
        function(element, info.get_buffer())
        return Gst.PadProbeReturn.OK

    for name, function in (("src", after), ("sink", before)):
        if function:
            pad = element.get_static_pad(name)
            pad.add_probe(Gst.PadProbeType.BUFFER, look, function)
    pipeline.set_state(Gst.State.PLAYING)
    kinds = Gst.MessageType.EOS | Gst.MessageType.ERROR | Gst.MessageType.ELEMENT
    bus = pipeline.get_bus()
    message = bus.timed_pop_filtered(60 * Gst.SECOND, kinds)
    while message.type == Gst.MessageType.ELEMENT:
        states.append(message.get_structure().get_string("state"))
        message = bus.timed_pop_filtered(60 * Gst.SECOND, kinds)
    pipeline.set_state(Gst.State.NULL)
    assert message.type == Gst.MessageType.EOS, message.parse_error()
    return states


def box_of(buffer):
    return GstVideo.buffer_get_video_region_of_interest_meta_id(buffer, 0)


def memory():
    """Address and sum of the picture, before and after the element."""
    import numpy as np

    def look(where, buffer):
        with buffer.map(Gst.MapFlags.READ) as mapped:
            picture = np.frombuffer(mapped.data, np.uint8)
            tell(where=where, at=picture.ctypes.data, sum=int(picture.sum()))

    text = BALL.format(20, "NV12") + f"hotpathtrack name=t {START}"
    play(text, lambda _, buffer: look("out", buffer), lambda _, buffer: look("in", buffer))


def boxes():
    """Metadata of a box that is set only while a live pipeline runs."""
    found = []

    def look(element, buffer):
        meta = box_of(buffer)
        found.append(meta and meta.get_param("hotpath").get_value("score"))
        tell(score=found[-1])
        if len(found) in (10, 20):  # and then it is dropped
            element.set_property("box", "40%,40%,14%,18%" if len(found) == 10 else "")

    play(BALL.format("30 is-live=true", "I420") + "hotpathtrack name=t", look)


def lost(size="320x240", box=START, patterns=("ball", "snow"), more=""):
    """State and metadata where the ball is there, then gone."""
    text = ""
    caps = "video/x-raw,format=I420,width={},height={}".format(*size.split("x"))
    for pattern in patterns:
        text += f"videotestsrc pattern={pattern} num-buffers=20 ! {caps} ! c. "
    found = []
    text += f"concat name=c ! hotpathtrack name=t {box} {more}"
    states = play(text, lambda _, buffer: found.append(box_of(buffer) is not None))
    for state, has_box in zip(states, found):
        tell(state=state, has_box=has_box)


def back(recover):
    lost("1280x720", "box=620,340,40,40", ("ball", "snow", "ball"), "recover=" + recover)


def seen(colours):
    """The colour of a picture as a tracker takes it, and the options of that tracker."""
    from hotpath import runtime

    class Tracker:
        doubt = ""

        def __init__(self, network, **options):
            self.options = options

        def init(self, frame, box):
            told = {name: self.options[name] for name in ("threads", "recover")}
            tell(colour=frame.bgr()[40, 40].tolist(), **told)

        def update(self, frame):
            return runtime.Track(runtime.Box(1, 1, 9, 9), 1.0)

        def close(self):
            pass

    runtime.load_tracker = Tracker
    text = "videotestsrc pattern=solid-color foreground-color=0xff2080c0 num-buffers=2 ! "
    text += "video/x-raw,format=BGRx,width=320,height=240 ! videoconvert ! "
    text += f"video/x-raw,format=NV12,colorimetry={colours} ! "
    play(text + f"hotpathtrack name=t {START} threads=3 recover=false", None)


globals()[sys.argv[1]](*sys.argv[2:])
