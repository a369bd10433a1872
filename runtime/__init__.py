"""Hotpath: a visual object tracker's whole frame at the speed of the network alone.

    from runtime import load_tracker

    tracker = load_tracker("nanotrack_v2")
    tracker.init(frame, (x, y, w, h))
    track = tracker.update(frame)  # track.box, track.score
"""


DEFAULT_NETWORK = "nanotrack_v2"


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
    from kernels import cpu
    from runtime import engines
    from runtime.networks import load_network
    from runtime.tracker import Tracker

    network = load_network(network)
    paths = network.locate(networks_dir)
    executor = engines.create(engine, network, paths, threads)
    return Tracker(network, executor, cpu.load(log))
