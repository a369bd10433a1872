"""Hotpath: a visual object tracker's whole frame at the speed of the network alone.

``tracker = load_tracker()``, then ``tracker.init(frame, (x, y, w, h))`` once, and for every frame
after it ``track = tracker.update(frame)``, with ``track.box`` and ``track.score``.
"""

DEFAULT_NETWORK = "kestrel"


def load_tracker(
    network=None, engine="auto", networks_dir=None, threads=None, log=None, bundle=None, pipeline=1,
    board=None, simulate=None,
):  # fmt: skip
    """A tracker, ready for ``init``.

    Args:
        network: name of a network (see ``python -m runtime.networks``), or the path of a TOML; None
            for the bundle's own, or ``DEFAULT_NETWORK``.
        engine: "auto", "openvino", "onnxruntime", or "tensorrt" or "overlay" (this board's bundle).
        networks_dir: folder with the network's files, sub-folders included; None looks beside the
            TOML and among the downloaded ones.
        threads: of the network's execution; None for one.
        log: function of one sentence, told what a user may want to know; None for silence.
        bundle: folder that ``make engine`` wrote; None for none, or the one of this board.
        pipeline: frames that may be on their way at a time; above 1 on a GPU alone, and then by
            ``submit`` and ``collect``.
        board: name of this board; None to find out.
        simulate: "model" or "rtl": an FPGA board that is not there, simulated.

    Returns:
        ``runtime.trackers.host.Tracker``, or ``runtime.trackers.gpu.GpuTracker`` or
        ``runtime.trackers.fpga.FpgaTracker`` with the same interface.
        It serves one thread at a time.

    Raises:
        UnknownNetwork, BadNetwork, NoEngine, BadBundle: see ``runtime.errors``.
    """
    from runtime.bundle import tracker_on

    parts = _parts(network, engine, networks_dir, threads, log, bundle, board, simulate)
    return tracker_on(parts[0], parts[1], parts[2], log, pipeline)


def load_targets(
    network=None, engine="auto", networks_dir=None, threads=None, log=None, bundle=None, pipeline=1,
    board=None, simulate=None,
):  # fmt: skip
    """Make ``runtime.multi.targets.Targets``: several targets that share one engine."""
    from runtime.multi.targets import Targets

    parts = _parts(network, engine, networks_dir, threads, log, bundle, board, simulate)
    return Targets(parts[0], parts[1], parts[2], pipeline=pipeline)


def _parts(network, engine, networks_dir, threads, log, bundle, board, simulate):
    """The network, an engine that holds it, and the kernels."""
    if bundle or board or simulate or engine in ("tensorrt", "overlay"):
        from runtime.bundle import load_parts

        return load_parts(bundle, network, None, threads, log, board, simulate, engine)
    from kernels import cpu
    from runtime import engines
    from runtime.networks import load_network

    network = load_network(network or DEFAULT_NETWORK)
    paths = network.locate(networks_dir)
    return network, engines.create(engine, network, paths, threads), cpu.load(log)
