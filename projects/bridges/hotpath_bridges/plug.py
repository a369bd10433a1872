"""Add ROS 2 (``--video``, ``--publish``), MQTT (``--publish``) and ``hotpath gstreamer``."""

from typing import List

from hotpath.app.option_records import LinkOptions, Plug

# what an address of --publish begins with -> its link
LINKS = {"mqtt:": "mqtt", "mqtts:": "mqtt", "ros:": "ros"}


def wanted(options: LinkOptions) -> List[str]:
    """The link that ``--publish`` asks for."""
    return [link for start, link in LINKS.items() if options.publish.startswith(start)]


PLUG = Plug(
    groups=(),
    links=(("mqtt", "hotpath_bridges.mqtt", ""), ("ros", "hotpath_bridges.ros_link", "")),
    wanted=wanted,
    check=lambda options: None,
    programs={
        "gstreamer": (
            "hotpath_bridges.gstreamer.__main__",
            "print what GStreamer needs to find hotpathtrack",
        ),
    },
    publishes=tuple(LINKS),
    sources={"ros": "hotpath_bridges.ros"},
)
