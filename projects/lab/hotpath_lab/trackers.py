"""Make the trackers of an evaluation: Hotpath's on any engine, and OpenCV's as peers.

A ``Spec`` describes a tracker and can be sent to another process, where ``build`` makes it.
"""

import argparse
import contextlib
import functools
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from hotpath.base import projects, toml
from hotpath.calib.errors import BadRun, MissingLibrary
from hotpath.runtime import engines, loading
from hotpath.runtime.engines.shared import precision
from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.networks import Network, bundle, load_network, sha256_of
from hotpath.runtime.options import Options, PathLike
from hotpath.runtime.types import LOST, TRACKED, Box, Track
from hotpath_lab import oracle

PEERS = ("KCF", "CSRT", "MIL", "TrackerNano", "TrackerVit")
PEER_ENGINE = "opencv"
PEER_FILES = {  # peer -> network with its files, and the names of their parts in OpenCV
    "TrackerNano": ("nanotrack_v2", {"backbone": "backbone", "neckhead": "head"}),
    "TrackerVit": ("vittrack", {"net": "whole"}),
}
INT8 = "-int8"  # what a derived network's name ends with
# of a TOML: what its boxes do not depend on, and the files, whose contents count
NOT_RUN = ("file", "published", "licence", "source")
# may follow a network's name after a colon
WAYS = ("int8", "fpga", "norecover", *oracle.KINDS)
SIMULATED = "fpga.simulated"  # the project's entry point that loads a bundle
FPGA_BOARD = "pynq_z2"  # every board's engine gives the same boxes


class Spec(NamedTuple):
    """A tracker to run."""

    name: str  # for the table
    options: Options  # of load_tracker; a peer has no network
    identity: str = ""  # changes with anything that the boxes depend on
    oracle: str = ""  # of ``oracle.KINDS``


def specs(names: Sequence[str], options: Options, int8_dir: str = ".") -> list[Spec]:
    """Return the specs of a table.

    Args:
        names: names of networks, TOMLs or ``PEERS``. ``NAME:int8`` is a network's INT8 form.
            ``NAME+WITNESS`` and ``NAME+WITNESS:int8`` have a second network as a witness.
            ``NAME:fpga`` runs the model of the FPGA engine (``projects/fpga``) on the
            bundle of ``make engine``. ``NAME:norecover`` has no search for a lost target.
            ``NAME:truesize``, ``:trueplace`` and ``:truechoice`` are oracles (``oracle``).
            ``NAME:openvino`` runs on that engine. These endings can be combined.
        options: engine, threads and networks_dir of all.
        int8_dir: folder in which ``hotpath.calib.int8_command`` wrote NAME-int8.toml.

    Raises:
        BadRun: an INT8 form is missing, or an ending is unknown.
        HotpathError: something else is wrong with a network. Nothing has run yet.
    """
    parsed = [_spec(name, options, int8_dir) for name in names]
    shown = [spec.name for spec in parsed]
    twice = sorted({name for name in shown if shown.count(name) > 1})
    if twice:
        raise BadRun(f"{twice[0]} would be in the table twice; name each network once")
    return parsed


def _spec(name: str, options: Options, int8_dir: str) -> Spec:
    if name in PEERS:
        _peer_class(name)
        _peer_params(name, options.networks_dir)
        return identified(Spec(name, options._replace(engine=PEER_ENGINE)))
    stem, *ways = name.split(":")
    on = [way for way in ways if way in engines.choices(of_files=True)]
    if len(on) > 1:
        raise BadRun(
            f"{name}: names two engines, {on[0]} and {on[1]}; name one", what="two engines"
        )
    unknown = sorted(set(ways) - {*WAYS, *on})
    if unknown:
        there = ", :".join([*WAYS, *engines.choices(of_files=True)[1:]])
        raise BadRun(f"{name}: there is no :{unknown[0]}; there are :{there}")
    paths = [
        int8_toml(each, int8_dir, options.networks_dir) if "int8" in ways else each
        for each in stem.split("+")
    ]
    first, *witnesses = [load_network(path) for path in paths]
    if len(witnesses) > 1:
        raise BadRun(f"{name}: a network has one witness")
    if witnesses and "fpga" in ways:
        raise BadRun(
            f"{name}: an FPGA holds one network at a time; leave the witness out",
            what="one network",
        )
    for network in (first, *witnesses):
        network.locate(options.networks_dir)
    network = first
    engine = on[0] if on else options.engine
    if engine == engines.AUTO:
        engine = (engines.installed() + [engine])[0]
    oracles = [way for way in ways if way in oracle.KINDS]
    if len(oracles) > 1 or oracles and witnesses:
        raise BadRun(f"{name}: oracles can't be combined, also not with a witness; name one")
    recover = options.recover
    if "norecover" in ways or oracles and oracles[0] in oracle.HALVES:
        recover = False
    own = options._replace(
        network=str(paths[0]),
        witness=str(paths[1]) if witnesses else None,
        precision="fp32",
        recover=recover,
        engine=engine,
    )
    shown = "".join(":" + way for way in ways if way != "int8")
    return identified(
        Spec(
            "+".join(each.name for each in (first, *witnesses)) + shown,
            _on_fpga(own, network) if "fpga" in ways else own,
            oracle=oracles[0] if oracles else "",
        )
    )


def _on_fpga(options: Options, network: Network) -> Options:
    """The options on a simulated FPGA board."""
    projects.require_entry_point(SIMULATED, ":fpga")
    folder = bundle.find(FPGA_BOARD, network, "int8").folder
    return options._replace(engine="overlay", precision="int8", bundle=folder)


def specs_of(options: argparse.Namespace) -> list[Spec]:
    """Return the specs of a command's ``--networks``; raises what ``specs`` does."""
    int8_dir = getattr(options, "int8_dir", ".")
    return specs(options.networks.split(","), tracker_options(options), int8_dir)


def tracker_options(options: argparse.Namespace) -> Options:
    """Return a command's options for ``load_tracker``: engine, folder of networks, threads."""
    threads = getattr(options, "threads", 1)
    return Options(engine=options.engine, networks_dir=options.networks_dir, threads=threads)


def int8_toml(name: str, int8_dir: str, networks_dir: str | Path | None = None) -> Path:
    """The TOML of a network's INT8 form: that of ``hotpath int8``, else the one that is shipped.

    Raises:
        BadRun: there is none.
        BadNetwork: it was made from other files than the network's.
    """
    stem = Path(name).stem if name.endswith(".toml") else name
    path = Path(int8_dir) / (stem + INT8 + ".toml")
    if not path.is_file():
        form = precision.int8_form(load_network(name))
        if form is not None:
            load_network(name).check_form(form, networks_dir)
            return form.path
        raise BadRun(
            f"there is no INT8 form of {name}: no {path}; make it with `hotpath int8 "
            f"--network {name} --clips DIR --out {int8_dir}`"
        )
    load_network(name).check_form(load_network(path), networks_dir)
    return path


def build(spec: Spec, **more: Any) -> Any:
    """Make the tracker of a spec; it has ``init(frame, box)`` and ``update(frame)``.

    Args:
        more: further arguments of ``load_tracker``. A peer takes none.
    """
    if spec.options.network is None:
        return _Peer(spec)
    options = spec.options._replace(**more)
    if options.bundle is not None:
        device = projects.require_entry_point(SIMULATED, ":fpga").load()(options)
        return loading.tracker_on(device, options)
    return loading.open_tracker(options)


@functools.cache
def loaded(spec: Spec) -> Any:
    """The tracker of a spec, loaded once in each process."""
    return build(spec)


def published(spec: Spec) -> dict[str, float]:
    """Return a dict of the figures that a network's authors publish; empty for a peer."""
    network = spec.options.network
    return load_network(network).published if network else {}


def identified(spec: Spec) -> Spec:
    """Return the spec with the identity that its files and options have now."""
    fields = zip(Options._fields, spec.options, Options())
    identity: dict[str, Any] = {key: value for key, value, default in fields if value != default}
    # contents count, not places
    identity.update(name=spec.name, network=None, witness=None, networks_dir=None)
    if spec.options.bundle is not None:
        identity["bundle"] = sha256_of(Path(spec.options.bundle) / bundle.FILE)
    if spec.options.network is None:
        identity["version"] = cv2.__version__
    else:
        identity.update(_contents(spec.options.network, spec.options.networks_dir))
    if spec.options.witness is not None:
        identity["witness"] = _contents(spec.options.witness, spec.options.networks_dir)
    text = json.dumps(identity, sort_keys=True)
    return spec._replace(identity=hashlib.sha256(text.encode()).hexdigest())


def _contents(name: PathLike, networks_dir: PathLike | None) -> dict[str, Any]:
    """Return what the boxes of a network depend on: keys of its TOML, and its files' sha256."""
    network = load_network(name)
    table = toml.read(network.path, BadNetwork)
    files = {part: sha256_of(file) for part, file in network.locate(networks_dir).items()}
    return {"toml": {k: v for k, v in table.items() if k not in NOT_RUN}, "files": files}


class _Peer:
    """Gives a tracker of OpenCV the interface of ``Tracker``."""

    def __init__(self, spec: Spec) -> None:
        cv2.setNumThreads(spec.options.threads or 1)
        self._make = _peer_class(spec.name)
        self._last: tuple[float, ...] = ()
        self._params = _peer_params(spec.name, spec.options.networks_dir)
        self.step_ms: dict[str, float] = {}

    def init(self, frame: np.ndarray, box: np.ndarray) -> None:
        """Start on a box; OpenCV takes whole pixels."""
        with _without_warnings():
            self._tracker = self._make(self._params) if self._params else self._make()
        self._last = tuple(int(round(value)) for value in box)
        self._tracker.init(frame, self._last)

    def update(self, frame: np.ndarray) -> Track:
        """Return a ``Track``; where OpenCV's tracker reports a loss, with the last box."""
        good, box = self._tracker.update(frame)
        self._last = box if good else self._last
        scored = hasattr(self._tracker, "getTrackingScore")
        score = self._tracker.getTrackingScore() if scored else float(good)
        state = TRACKED if good else LOST
        return Track(Box(*map(float, self._last)), float(score), not good, state)

    def close(self) -> None:
        """Do nothing; OpenCV frees the tracker."""


@contextlib.contextmanager
def _without_warnings() -> Iterator[None]:
    """OpenCV 5 warns of a setting that nobody made, whenever one of its trackers is made."""
    logging = cv2.utils.logging
    level = logging.getLogLevel()
    logging.setLogLevel(logging.LOG_LEVEL_ERROR)
    try:
        yield
    finally:
        logging.setLogLevel(level)


def _peer_params(name: str, networks_dir: PathLike | None) -> Any:
    """Return OpenCV's parameters of a peer that runs files of a network; None for another."""
    if name not in PEER_FILES:
        return None
    network, parts = PEER_FILES[name]
    paths = load_network(network).locate(networks_dir)
    params = vars(cv2)[name + "_Params"]()
    for attribute, part in parts.items():
        setattr(params, attribute, str(paths[part]))
    return params


def _peer_class(name: str) -> Callable[..., Any]:
    """Return the function that makes a peer."""
    attribute = name if name.startswith("Tracker") else "Tracker" + name
    make = getattr(cv2, attribute + "_create", None)
    if make is None:
        raise MissingLibrary(
            f"OpenCV {cv2.__version__} has no {name}; install opencv-contrib-python-headless in "
            "place of opencv-python-headless, or leave it out"
        )
    return make
