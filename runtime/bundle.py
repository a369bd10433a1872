"""Bundles: a network made ready for one board, in a folder that says what it was made from.

``make engine`` writes one to ``engines/<board>/<network>-<precision>/``: the parts that an executor
loads, the network's TOML, and ``bundle.json``:

    {"format": 1, "network": {"name", "sha256", "files": {part: sha256}}, "board", "engine",
     "precision", "libraries": {name: version}, "compute_capability", "calibration_sha256",
     "settings": {...}, "parts": {file name: {"sha256", "bytes"}}, "run": {...}}

``run`` is for the executor: which part is what. Loading checks all of it before a part is used.
"""

import hashlib
import importlib
import json
import os
import pathlib

from runtime.errors import HotpathError, NoEngine
from runtime.multi.pipeline import check_pipeline
from runtime.networks import load_network, sha256_of

FORMAT = 1
FILE = "bundle.json"
FOLDER = "engines"
KEYS = (
    "format", "network", "board", "engine", "precision", "libraries", "compute_capability",
    "calibration_sha256", "settings", "parts", "run",
)  # fmt: skip


class BadBundle(HotpathError):
    """A bundle that is not there, not whole, or not what its ``bundle.json`` says."""


class BundleMismatch(BadBundle):
    """A bundle that was built for something else than what is here."""


def command(board, network, precision):
    """The command that builds a bundle."""
    return "make engine BOARD={} NETWORK={} PRECISION={}".format(board, network, precision)


def folder_of(board, network, precision, engines=FOLDER):
    """Where the bundle of a board, network and precision (all names) lies."""
    return pathlib.Path(engines) / board / "{}-{}".format(network, precision)


def identity(network, paths=None):
    """What a bundle keeps of its network: dict of name, sha256 and files.

    The sha256 is of all that the parts depend on: a tracker's numbers may be tuned without a new
    bundle.

    Args:
        network: the ``Network``.
        paths: dict of part -> path, to take the sha256 that its TOML does not give.
    """
    files = {}
    for entry in network.files:
        known = entry.sha256
        if known is None and paths:
            known = sha256_of(paths[entry.part])
        files[entry.part] = known
    shapes = [network.family, network.exemplar, network.search, list(network.maps)]
    text = json.dumps([shapes, files], sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return {"name": network.name, "sha256": digest, "files": files}


class Bundle:
    """A bundle's folder, its ``bundle.json`` read.

    Attributes are the keys of ``bundle.json`` but format, and ``folder``.

    Raises:
        BadBundle: no bundle there, or a ``bundle.json`` that can't be read.
    """

    def __init__(self, folder):
        self.folder = pathlib.Path(str(folder))
        path = self.folder / FILE
        if not path.is_file():
            raise BadBundle(
                "{} is no bundle: it has no {}; run `make engine BOARD=… NETWORK=… PRECISION=…` "
                "(`python -m boards` names this board)".format(self.folder, FILE)
            )
        try:
            with open(str(path)) as file:
                values = json.load(file)
            if not isinstance(values, dict):
                raise ValueError("it is no table")
            missing = [key for key in KEYS if key not in values]
        except (ValueError, TypeError, OSError) as error:
            raise BadBundle(
                "{} can't be read ({}); remove {} and build it again with `make engine`".format(
                    path, error, self.folder
                )
            ) from None
        if values.get("format") != FORMAT or missing:
            why = "lacks " + ", ".join(missing) if missing else "is of another version of this"
            raise BadBundle(
                "{} {}; build it again: `{}`".format(
                    path, why, command(values.get("board", "…"), "…", values.get("precision", "…"))
                )
            )
        if not _is_whole(values):
            raise BadBundle(
                "{} is not as it was written; remove {} and build it again with `make "
                "engine`".format(path, self.folder)
            )
        self.network, self.board, self.engine = (values[key] for key in KEYS[1:4])
        self.precision, self.libraries = values["precision"], values["libraries"]
        self.compute_capability = values["compute_capability"]
        self.calibration_sha256 = values["calibration_sha256"]
        self.settings, self.parts, self.run = (values[key] for key in KEYS[-3:])

    @property
    def command(self):
        """The command that builds it again."""
        return command(self.board, self.network["name"], self.precision)

    def path(self, part):
        """Path of a part."""
        return self.folder / part

    def load_network(self):
        """The ``Network`` of the TOML in the bundle."""
        return load_network(self.path(self.network["name"] + ".toml"))

    def check_parts(self):
        """Compare every part with its sha256.

        Raises:
            BadBundle: a part is missing, truncated or altered.
        """
        for name, wanted in sorted(self.parts.items()):
            if os.path.basename(name) != name:
                raise BadBundle(
                    "{} names a part outside it, {!r}; remove it and run `{}`".format(
                        self.folder, name, self.command
                    )
                )
            path = self.path(name)
            if not path.is_file():
                self._broken(path, "is missing")
            size = path.stat().st_size
            if size < wanted["bytes"]:
                self._broken(
                    path, "is truncated, {} of {} bytes are there".format(size, wanted["bytes"])
                )
            try:
                altered = size != wanted["bytes"] or sha256_of(path) != wanted["sha256"]
            except OSError as error:
                self._broken(path, "can't be read ({})".format(error.strerror))
            if altered:
                self._broken(path, "was altered since it was built")

    def check_network(self, network):
        """Compare with the network that is to be tracked.

        Raises:
            BundleMismatch: another network, or other files of it.
        """
        now = identity(network)
        if now["name"] != self.network["name"]:
            self.mismatch("network", self.network["name"], now["name"], now["name"])
        for part, sha256 in now["files"].items():
            built = self.network["files"].get(part)
            if sha256 is not None and sha256 != built:
                self.mismatch(
                    "{} of {}".format(part, network.name), "sha256 {}…".format(str(built)[:12]),
                    "{}…".format(sha256[:12]),
                )  # fmt: skip
        known = None not in now["files"].values()
        if known and now["sha256"] != self.network["sha256"]:
            self.mismatch("TOML of " + network.name, "other inputs or maps", "those of today")

    def check_board(self, board, precision=None):
        """Compare with the board's name and the precision asked for; None for any."""
        if precision is not None and precision != self.precision:
            self._rebuild(
                "precision", self.precision, precision,
                command(self.board, self.network["name"], precision),
            )  # fmt: skip
        if board is not None and board != self.board:
            self.mismatch("board", self.board, board, board=board)

    def check_library(self, name, version):
        """Compare with the version of a library that is here."""
        if self.libraries.get(name) != version:
            self.mismatch(name, self.libraries.get(name), version)

    def check_compute_capability(self, capability):
        """Compare with the GPU's, such as "8.7"."""
        if self.compute_capability != capability:
            self.mismatch("compute capability", self.compute_capability, capability)

    def mismatch(self, what, built, here, network=None, board=None):
        """Say what differs and which command rebuilds it: ``BundleMismatch``."""
        self._rebuild(
            what, built, here,
            command(board or self.board, network or self.network["name"], self.precision),
        )  # fmt: skip

    def _rebuild(self, what, built, here, rebuild):
        raise BundleMismatch(
            "{} was built for {} {}, but here it is {}; run `{}`".format(
                self.folder, what, built, here, rebuild
            )
        )

    def _broken(self, path, what):
        raise BadBundle("{} {}; build it again: `{}`".format(path, what, self.command))


def _is_whole(values):
    """Whether every entry has its type, and every file that is named is a part."""
    texts = [values[key] for key in ("board", "engine", "precision")]
    tables = [values[key] for key in ("network", "libraries", "settings", "parts", "run")]
    if not all(isinstance(text, str) for text in texts):
        return False
    if not all(isinstance(table, dict) for table in tables):
        return False
    network, parts, run = values["network"], values["parts"], values["run"]
    if not isinstance(network.get("name"), str) or not isinstance(network.get("files"), dict):
        return False
    for part in parts.values():
        if not isinstance(part, dict) or not isinstance(part.get("sha256"), str):
            return False
        if not isinstance(part.get("bytes"), int):
            return False
    if values["engine"] == "tensorrt":
        from runtime.engines import tensorrt_manifest

        core = values["settings"].get("dla")
        if not tensorrt_manifest.is_whole(run) or not (core is None or isinstance(core, int)):
            return False
        named = [run.get("exemplar")] + run["parts"]
    elif values["engine"] == "overlay":
        from runtime.engines import overlay

        if not overlay.is_whole(run, values["settings"]):
            return False
        named = [run["image"]]
    else:
        named = list(run["files"].values()) if isinstance(run.get("files"), dict) else [None]
    named.append(network["name"] + ".toml")
    return all(isinstance(name, str) and name in parts for name in named)


def find(board, network, precision=None, engines=FOLDER):
    """The bundle for a board and network.

    Args:
        board: a ``boards.Board``.
        network: its name.
        precision: None for the board's own if that is there, else any.
        engines: folder of all bundles.

    Raises:
        BadBundle: there is none.
    """
    wanted = precision or board.precision["default"]
    first = folder_of(board.name, network, wanted, engines)
    if first.is_dir():
        return Bundle(first)
    others = sorted(first.parent.glob(network + "-*/" + FILE)) if precision is None else []
    if others:
        return Bundle(others[0].parent)
    raise BadBundle(
        "there is no bundle {}; run `{}`".format(first, command(board.name, network, wanted))
    )


def open_engine(
    bundle, network=None, threads=None, device=None, board=None, precision=None, overlay=None
):
    """Check a bundle and load it into its executor.

    Args:
        bundle: a ``Bundle``.
        network: the ``Network`` that it must be of; None for the one whose TOML is in it.
        threads: of executors on a processor.
        device: an open ``kernels.cuda.device``, for executors on a GPU, or PYNQ's device; None to
            open one.
        board: name of the board that this is, None when it is not known.
        precision: that it must have, or None.
        overlay: path of the .bit, for executors in fabric; None for the board's own.

    Returns:
        An engine (see ``runtime.engines``).

    Raises:
        BadBundle, BundleMismatch: see there.
    """
    bundle.check_board(board, precision)
    if network is not None:
        bundle.check_network(network)
    bundle.check_parts()
    network = network or bundle.load_network()
    if bundle.engine == "tensorrt":
        module = importlib.import_module("runtime.engines.tensorrt")
        return module.Engine(network, bundle, device)
    if bundle.engine == "overlay":
        module = importlib.import_module("runtime.engines.overlay")
        return module.Engine(network, bundle, device, overlay)
    from runtime import engines

    # what a processor's engines load is the network's own ONNX, which any of their versions reads
    paths = {part: bundle.path(name) for part, name in bundle.run["files"].items()}
    if bundle.settings.get("provider"):
        module = importlib.import_module("runtime.engines.onnxruntime_gpu")
        return module.Engine(network, paths, bundle.settings["provider"], device)
    return engines.create(bundle.engine, network, paths, threads)


def load_parts(
    folder=None, network=None, precision=None, threads=None, log=None, board=None, simulate=None,
    engine="auto",
):  # fmt: skip
    """A bundle's network, an engine that holds it, and the processor's kernels.

    Args:
        folder: the bundle's; None for the one of this board and ``network``.
        network: name or TOML; None for the bundle's own, or the default one.
        precision: that it must have; None for any (see ``find``).
        threads: of executors on a processor.
        log: function of one sentence, or None.
        board: its name; None to look which one this is.
        simulate: "model" or "rtl", for an FPGA board that is not there (``kernels.fpga.sim``).
        engine: that the bundle must be for, or "auto".

    Returns:
        (``Network``, engine, kernels).

    Raises:
        BadBundle, BundleMismatch: none there, or one that does not fit; with the way out.
        NoEngine: the bundle is for another one.
    """
    import boards
    from boards import detect
    from kernels import cpu
    from runtime import DEFAULT_NETWORK

    board = boards.load_board(board) if board else detect.detect().board
    network = load_network(network) if network else None
    if simulate and folder is None:
        from kernels.fpga.sim import device as simulation

        simulation.check(board and board.name, simulate)
    if folder is None:
        network = network or load_network(DEFAULT_NETWORK)
        if board is None:
            raise BadBundle(
                "which board this is can't be told, so no bundle can be found for it; name one "
                "with --bundle engines/BOARD/{}-PRECISION".format(network.name)
            )
        bundle = find(board, network.name, precision)
    else:
        bundle = Bundle(folder)
    if engine not in ("auto", bundle.engine):
        raise NoEngine(
            "{} runs on {}, not on {}; leave --engine away, or name a board or a bundle for "
            "it".format(bundle.folder, bundle.engine, engine)
        )
    known = board.name if board is not None else None
    device = overlay = None
    if simulate:
        from kernels.fpga.sim import device as simulation

        bundle.check_board(known)
        device, overlay = simulation.open_board(bundle.board, simulate)
    engine = open_engine(bundle, network, threads, device, known, precision, overlay)
    return network or bundle.load_network(), engine, cpu.load(log)


def tracker_on(network, engine, kernels, log=None, pipeline=1):
    """A tracker of one target: the whole frame on the GPU or in fabric, else the host's.

    Args:
        pipeline: frames that may be on their way at a time.

    Returns:
        ``runtime.trackers.gpu.GpuTracker``, ``runtime.trackers.fpga.FpgaTracker`` or
        ``runtime.trackers.host.Tracker``.

    Raises:
        NoEngine: more than one frame at a time, which the host's tracker can't.
    """
    if hasattr(engine, "search_device"):
        from kernels.cuda.errors import NoCompiler, NotOnGpu
        from runtime.trackers.gpu import GpuTracker

        try:
            return GpuTracker(network, engine, engine.device, pipeline, log=log)
        except (NotOnGpu, NoCompiler) as error:
            why = "crop and select run on the processor: {}".format(error)
            check_pipeline(pipeline, engine, why)
            if log is not None:
                log(why)
    from runtime.trackers.host import Tracker

    check_pipeline(pipeline, engine)
    if hasattr(engine, "fabric"):
        from runtime.trackers.fpga import FpgaTracker

        return FpgaTracker(network, engine, kernels)
    return Tracker(network, engine, kernels)
