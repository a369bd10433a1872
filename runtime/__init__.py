"""Hotpath: a visual object tracker's whole frame at the speed of the network alone.

``tracker = load_tracker()``, then ``tracker.init(frame, (x, y, w, h))`` once, and for every frame
after it ``track = tracker.update(frame)``, with ``track.box`` and ``track.score``.
"""

DEFAULT_NETWORK = "kestrel"


def load_tracker(network=DEFAULT_NETWORK, engine="auto", networks_dir=None, threads=None, log=None):
    """A tracker, ready for ``init``.

    Args:
        network: name of a network (see ``python -m runtime.networks``), or the path of a TOML.
        engine: "auto", "openvino" or "onnxruntime".
        networks_dir: folder with the network's files, sub-folders included; None looks beside the
            TOML and among the downloaded ones.
        threads: of the network's execution; None for one.
        log: function of one sentence, told what a user may want to know; None for silence.

    Returns:
        ``runtime.tracker.Tracker``.

    Raises:
        UnknownNetwork, BadNetwork, NoEngine: see ``runtime.errors``.
    """
    from runtime.tracker import Tracker

    return Tracker(*_parts(network, engine, networks_dir, threads, log))


def load_targets(network=DEFAULT_NETWORK, engine="auto", networks_dir=None, threads=None, log=None):
    """The same for several targets at once, which share one engine: ``runtime.targets.Targets``."""
    from runtime.targets import Targets

    return Targets(*_parts(network, engine, networks_dir, threads, log))


def _parts(network, engine, networks_dir, threads, log):
    """The network, an engine that holds it, and the kernels."""
    from kernels import cpu
    from runtime import engines
    from runtime.networks import load_network

    network = load_network(network)
    paths = network.locate(networks_dir)
    return network, engines.create(engine, network, paths, threads), cpu.load(log)
