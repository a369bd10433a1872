"""A fake ``rclpy`` with its messages, for computers without ROS. It speaks on a real bus, by DDS.

    python -m tests.fakes.ros ARGUMENTS OF runtime.track

Every name is one of ROS 2 Humble that the product uses. As there, messages take keywords only and
refuse values of another type, and a callback gets the serialized message of a raw subscription.
"""

import enum
import sys
import time
from types import ModuleType

from hotpath.runtime.track.video import dds


def message(kind):
    """A message of ROS that is one of ``hotpath.runtime.track.video.dds`` too."""

    def __init__(self, **fields):
        assert set(fields) <= set(kind.__annotations__), f"{kind}: unknown fields in {fields}"
        values = {}
        for name, annotation in kind.__annotations__.items():
            value = fields.get(name, default(annotation))
            if "float64" in str(annotation) and "Sequence" not in str(annotation):
                assert isinstance(value, float), f"{name}: {value!r} is no float"
            values[name] = value
        kind.__init__(self, **values)

    return type(kind.__name__, (kind,), {"__init__": __init__})


def default(annotation):
    """What a field has that is not given."""
    if annotation is dds.Pose:
        return dds.NOWHERE.pose
    text = str(annotation)
    return [0.0] * 36 if "array" in text else 0.0 if "float" in text else None


class Serialized(bytes):
    """To which DDS can attach its notes."""


class Context:
    def init(self, args=None, *, initialize_logging=True, domain_id=None):
        self.domain, self.is_ok = domain_id, True

    def ok(self):
        return self.is_ok

    def try_shutdown(self):
        self.is_ok = False


class Node:
    def __init__(self, name, context):
        print(f"node {name}", flush=True)
        self.end, self.subscriptions = dds.End(context.domain), []

    def create_publisher(self, kind, topic, qos):
        publisher = ModuleType("publisher")
        writer = self.end.writer(topic, kind.__mro__[1])
        publisher.publish = lambda sent: self.end.send(writer, sent)
        return publisher

    def create_subscription(self, kind, topic, callback, qos, *, raw=False):
        plain = kind.__mro__[1]
        if raw:
            plain = dds.raw(f"sensor_msgs/msg/{plain.__name__}", Serialized)
        newest = qos.reliability is Reliability.BEST_EFFORT
        self.subscriptions.append((self.end.reader(topic, plain, newest), callback))
        return self.subscriptions[-1]

    def destroy_node(self):
        self.end.close()


class Executor:
    def __init__(self, *, context):
        self.nodes = []

    def add_node(self, node):
        self.nodes.append(node)

    def spin_once(self, timeout_sec):
        ends_s = time.monotonic() + timeout_sec
        while time.monotonic() < ends_s:
            for node in self.nodes:
                for reader, callback in node.subscriptions:
                    taken = node.end.take(reader, 0.005)
                    if taken is not None:
                        return callback(taken)

    def shutdown(self):
        self.nodes.clear()


class Reliability(enum.Enum):
    RELIABLE, BEST_EFFORT = 1, 2


class History(enum.Enum):
    KEEP_LAST = 1


class QoSProfile(ModuleType):
    def __init__(self, *, depth, history, reliability):
        self.depth, self.history, self.reliability = depth, history, reliability


def create_node(name, *, context, start_parameter_services=True):
    return Node(name, context)


def install():
    """Make the modules importable in this process."""
    modules = {
        "rclpy": dict(create_node=create_node),
        "rclpy.context": dict(Context=Context),
        "rclpy.executors": dict(SingleThreadedExecutor=Executor),
        "rclpy.qos": dict(
            HistoryPolicy=History, QoSProfile=QoSProfile, ReliabilityPolicy=Reliability
        ),
    }
    for kind in vars(dds).values():
        name = getattr(kind, "__idl_typename__", None)
        if name and isinstance(kind, type):
            package, _, _ = name.partition("::")
            modules.setdefault(package, {})
            modules.setdefault(package + ".msg", {})[kind.__name__] = message(kind)
    for name, contents in modules.items():
        module = sys.modules[name] = ModuleType(name)
        vars(module).update(contents)


if __name__ == "__main__":
    install()
    from hotpath.runtime.track.__main__ import main

    sys.exit(main(sys.argv[1:]))
