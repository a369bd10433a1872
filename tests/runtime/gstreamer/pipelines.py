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
START = "140,100,40,40"


def tell(**event):
    print(json.dumps(event), flush=True)


def watch(pipeline, pad, probe):
    """Run to the end; ``probe`` is called with each buffer of a pad."""
    pad.add_probe(Gst.PadProbeType.BUFFER, probe)
    pipeline.set_state(Gst.State.PLAYING)
    kinds = Gst.MessageType.EOS | Gst.MessageType.ERROR
    message = pipeline.get_bus().timed_pop_filtered(60 * Gst.SECOND, kinds)
    pipeline.set_state(Gst.State.NULL)
    assert message.type == Gst.MessageType.EOS, message.parse_error()


def memory():
    """Address and sum of the picture, before and after the element."""
    import numpy as np

    text = BALL.format(20, "NV12") + f"hotpathtrack name=t box={START} ! fakesink"
    pipeline = Gst.parse_launch(text)
    element = pipeline.get_by_name("t")

    def look(pad, info, where):
        with info.get_buffer().map(Gst.MapFlags.READ) as mapped:
            picture = np.frombuffer(mapped.data, np.uint8)
            tell(where=where, at=picture.ctypes.data, sum=int(picture.sum()))
        return Gst.PadProbeReturn.OK

    element.get_static_pad("sink").add_probe(Gst.PadProbeType.BUFFER, look, "in")
    watch(pipeline, element.get_static_pad("src"), lambda pad, info: look(pad, info, "out"))


def boxes():
    """Metadata of a box that is set only while a live pipeline runs."""
    text = BALL.format("30 is-live=true", "I420") + "hotpathtrack name=t ! fakesink"
    pipeline = Gst.parse_launch(text)
    element, count = pipeline.get_by_name("t"), [0]

    def look(pad, info):
        count[0] += 1
        metas = GstVideo.buffer_get_video_region_of_interest_meta_id(info.get_buffer(), 0)
        found = None
        if metas is not None:
            param = metas.get_param("hotpath")
            found = [metas.x, metas.y, metas.w, metas.h, param.get_value("score")]
        tell(frame=count[0], box=found)
        if count[0] == 10:
            pipeline.get_by_name("t").set_property("box", "40%,40%,14%,18%")
        return Gst.PadProbeReturn.OK

    watch(pipeline, element.get_static_pad("src"), look)


def lost(size="320x240", box=START, patterns=("ball", "snow"), more=""):
    """State and metadata where the ball is there, then gone."""
    text = f"concat name=c ! hotpathtrack box={box} {more} ! fakesink name=f "
    caps = "video/x-raw,format=I420,width={},height={}".format(*size.split("x"))
    for pattern in patterns:
        text += f"videotestsrc pattern={pattern} num-buffers=20 ! {caps} ! c. "
    pipeline = Gst.parse_launch(text)

    states, boxes, bus = [], [], pipeline.get_bus()

    def look(pad, info):
        meta = GstVideo.buffer_get_video_region_of_interest_meta_id(info.get_buffer(), 0)
        boxes.append(meta is not None)
        return Gst.PadProbeReturn.OK

    pad = pipeline.get_by_name("f").get_static_pad("sink")
    pad.add_probe(Gst.PadProbeType.BUFFER, look)
    pipeline.set_state(Gst.State.PLAYING)
    kinds = Gst.MessageType.EOS | Gst.MessageType.ERROR | Gst.MessageType.ELEMENT
    message = bus.timed_pop_filtered(60 * Gst.SECOND, kinds)
    while message.type == Gst.MessageType.ELEMENT:
        states.append(message.get_structure().get_string("state"))
        message = bus.timed_pop_filtered(60 * Gst.SECOND, kinds)
    pipeline.set_state(Gst.State.NULL)
    assert message.type == Gst.MessageType.EOS, message.parse_error()
    for state, has_box in zip(states, boxes):
        tell(state=state, has_box=has_box)


def back(recover):
    lost("1280x720", "620,340,40,40", ("ball", "snow", "ball"), "recover=" + recover)


def seen(colours):
    """The colour of a picture as a tracker takes it, and the options of that tracker."""
    import runtime

    class Tracker:
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
    pipeline = Gst.parse_launch(
        text + f"hotpathtrack name=t box={START} threads=3 recover=false ! fakesink"
    )
    pad = pipeline.get_by_name("t").get_static_pad("src")
    watch(pipeline, pad, lambda pad, info: Gst.PadProbeReturn.OK)


globals()[sys.argv[1]](*sys.argv[2:])
