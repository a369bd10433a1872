"""The choice of precision on a processor: float32, or INT8 if INT8 is faster.

A network may have an INT8 form: ``NAME-int8.toml`` beside its TOML or in a folder ``int8`` there,
as ``hotpath int8`` writes it. With "auto" the INT8 form runs if the processor has instructions for
it and a measurement shows that it is faster. The measurement takes a few milliseconds, once.
``python -m hotpath.runtime.precision`` (``make setup``) makes it in advance. A measurement on a
busy machine is repeated at the next start, until two in a row agree. ``python -m hotpath boards
forget`` removes all measurements.
"""

import contextlib
import hashlib
import importlib.util
import json
import math
import os
import pathlib
import sys
import time
from typing import Any, Dict, List, Optional, Tuple

from hotpath.kernels import cache
from hotpath.runtime import engines
from hotpath.runtime.engines.base import Engine
from hotpath.runtime.errors import BadNetwork, NoEngine
from hotpath.runtime.network import INT8_FORMS
from hotpath.runtime.networks import CACHE, DEFAULT_NETWORK, Network, load_network
from hotpath.runtime.options import Log
from hotpath.runtime.plan import FP32, INT8, PRECISIONS, Plan

# AVX-512 VNNI and AVX-VNNI of x86, and the dot products of ARM: as Linux names them.
INSTRUCTIONS = {"avx512_vnni", "avx_vnni", "asimddp"}
MEASURED = CACHE.with_name("precision.json")
TURNS, WARM_UP, ROUNDS = 3, 2, 8  # of calls
BUSY = 0.5  # processes that run, as a share of the cores: the last minute's load of Linux
SUFFIX = "-int8"  # of the names of INT8 forms
CPUINFO, LOADAVG = pathlib.Path("/proc/cpuinfo"), pathlib.Path("/proc/loadavg")


def open_precision(
    plan: Plan,
    measured: pathlib.Path = MEASURED,
    cpuinfo: pathlib.Path = CPUINFO,
    loadavg: pathlib.Path = LOADAVG,
) -> Engine:
    """Load a network's own files into an engine, in the precision that is asked for.

    Args:
        plan: the ``Plan``, without a bundle. With "fp32" its network does not change, even if it
            is an INT8 form. ``log`` gets the result of a measurement, and a hint if INT8 gains
            nothing in an engine.
        measured: file that stores measurements.
        cpuinfo, loadavg: paths of Linux's files on the processor and its load.

    Raises:
        BadNetwork: "int8" was asked for and the network has no INT8 form, or one of other files;
            or files are missing.
        NoEngine: there is no such precision; or see ``hotpath.runtime.engines.create``.
    """
    network, precision, engine = plan.network, plan.precision, plan.engine
    assert network is not None, "only a bundle has a network of its own"
    if precision not in PRECISIONS:
        all_names = ", ".join(PRECISIONS)
        raise NoEngine(
            f"no engine of a processor runs {precision!r}; take one of {all_names}, or a --bundle"
        )
    form = None if precision == FP32 else int8_form(network)
    if form is not None and not _is_proven(form, plan):
        return _opened(network, plan)
    if precision == INT8 and form is None:
        raise BadNetwork(
            f"{network.name} has no INT8 form: no {network.name}-int8.toml beside its TOML; make "
            f"one with `hotpath int8 --network {network.given} --clips DIR` and name it "
            "with --network"
        )
    if form is None:
        return _opened(network, plan)
    if precision == INT8 or form is network:
        _say_in_floats(engine, plan.log)
        return _opened(form, plan)
    text = cpuinfo.read_text() if cpuinfo.is_file() else ""
    name = engine if engine != engines.AUTO else (engines.installed(network) + [engine])[0]
    if not has_int8(text) or name not in engines.installed():
        return _opened(network, plan)
    names = sorted({name, int8_engine(engine)})
    key = _key(text, names, plan.threads or engines.THREADS, network, form)
    known = _read(measured)
    if key in known and not known[key]["busy"]:
        faster = form if known[key]["int8_ms"] < known[key]["fp32_ms"] else network
        return _opened(faster, plan)
    both = _both(network, form, plan)
    if len(both) < 2:
        return both[0]
    fp32_ms, int8_ms = measure(both)
    before = known.get(key)
    agree = before and (before["int8_ms"] < before["fp32_ms"]) == (int8_ms < fp32_ms)
    busy = is_busy(loadavg) and not agree
    entry = {"fp32_ms": fp32_ms, "int8_ms": int8_ms, "busy": float(busy)}
    _write(measured, dict(known, **{key: entry}))
    if plan.log is not None:
        until = (
            "now; this machine is busy, so the next start measures again" if busy else "from now on"
        )
        plan.log(
            f"{network.name}: INT8 takes {int8_ms:.2f} ms a search region here, fp32 "
            f"{fp32_ms:.2f} ms, so {INT8 if int8_ms < fp32_ms else FP32} runs {until}"
        )
    chosen, other = both[::-1] if int8_ms < fp32_ms else both
    other.close()
    return chosen


def _opened(form: Network, plan: Plan) -> Engine:
    name = int8_engine(plan.engine) if form.name.endswith(SUFFIX) else plan.engine
    return engines.create(name, form, form.locate(plan.networks_dir), plan.threads, plan.log)


def _both(network: Network, form: Network, plan: Plan) -> Tuple[Engine, ...]:
    """Make the engines of a network and its INT8 form; only the first if the form has none."""
    plain = _opened(network, plan)
    try:
        return plain, _opened(form, plan)
    except (BadNetwork, NoEngine) as error:  # the INT8 form is an offer, no demand
        if plan.log is not None:
            plan.log(f"{network.name} runs in fp32, since its INT8 form can't be loaded: {error}")
        return (plain,)


def _is_proven(form: Network, plan: Plan) -> bool:
    """Whether an INT8 form was made from the network's files. Log it if not, or raise for INT8."""
    network = plan.network
    assert network is not None
    try:
        network.check_form(form, plan.networks_dir)
    except BadNetwork as error:
        if plan.precision == INT8:
            raise
        if plan.log is not None:
            plan.log(f"{network.name} runs in fp32: {error}")
        return False
    return True


def int8_form(network: Network) -> Optional[Network]:
    """The INT8 form of a network, itself if it is one; None if it has none."""
    if network.name.endswith(SUFFIX):
        return network
    name = network.name + SUFFIX + ".toml"
    for folder in (network.path.parent, network.path.parent / INT8_FORMS.name):
        if (folder / name).is_file():
            return load_network(folder / name)
    return None


def int8_engine(engine: str) -> str:
    """Return the engine for INT8 networks: with "auto" the first that computes in integers."""
    if engine != engines.AUTO:
        return engine
    installed = engines.installed()
    able = [name for name in installed if engines.find(name).computes_int8()]
    return (able or installed or [engine])[0]


def _say_in_floats(engine: str, log: Log) -> None:
    """Say that an engine that was asked for by name computes INT8 networks in float32."""
    if log is None or engine == engines.AUTO or engines.find(engine).computes_int8():
        return
    other = int8_engine(engines.AUTO)
    log(
        "{} computes INT8 networks in float32 on this processor, which is slower than fp32; take "
        "{}--precision fp32".format(engine, "" if other == engine else f"--engine {other}, or ")
    )


def has_int8(cpuinfo: str) -> bool:
    """Whether a processor has instructions for INT8, by the text of its ``/proc/cpuinfo``."""
    return bool(INSTRUCTIONS.intersection(cpuinfo.split()))


def is_busy(loadavg: pathlib.Path = LOADAVG) -> bool:
    """Whether other programs keep the cores busy, so that a measurement may be wrong."""
    try:
        return float(loadavg.read_text().split()[0]) > BUSY * (os.cpu_count() or 1)
    except (OSError, ValueError, IndexError):  # no Linux
        return False


def measure(both: Tuple[Engine, ...]) -> Tuple[float, float]:
    """Return the shortest time of a search on each of two engines, milliseconds; they alternate.

    Other programs can only lengthen a time, so the shortest one is closest to the engine's own.
    """
    features = [engine.exemplar() for engine in both]
    least = [math.inf, math.inf]
    for _ in range(TURNS):
        for index, engine in enumerate(both):
            for number in range(WARM_UP + ROUNDS):
                started = time.perf_counter()
                engine.search(features[index])
                if number >= WARM_UP:
                    least[index] = min(least[index], (time.perf_counter() - started) * 1e3)
    return least[0], least[1]


def forget(measured: pathlib.Path = MEASURED) -> bool:
    """Remove all measurements; returns whether there were any."""
    try:
        measured.unlink()
    except FileNotFoundError:
        return False
    return True


def _key(cpuinfo: str, names: List[str], threads: int, network: Network, form: Network) -> str:
    """Return a key of everything that decides a measurement, such as processor and libraries."""
    named = ("model name", "flags", "Features", "CPU part")
    split = [line.partition(":") for line in cpuinfo.splitlines()]
    lines = sorted({"".join(line) for line in split if line[0].strip() in named})
    files = [[entry.name, entry.sha256] for each in (network, form) for entry in each.files]
    libraries = [library for name in names for library in engines.find(name).libraries]
    library = [importlib.util.find_spec(name) for name in libraries]
    dates = [os.path.getmtime(spec.origin) for spec in library if spec and spec.origin]
    text = json.dumps([lines, "+".join(names), dates, threads, files, "least"])
    return hashlib.sha256(text.encode()).hexdigest()


def _read(path: pathlib.Path) -> Dict[str, Dict[str, float]]:
    """The measurements that are kept; none if the file is missing or damaged."""
    try:
        values = json.loads(path.read_text())
        return {
            key: {name: float(entry[name]) for name in ("fp32_ms", "int8_ms", "busy")}
            for key, entry in values.items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


def _write(path: pathlib.Path, values: Dict[str, Any]) -> None:
    """Store the measurements. If the folder cannot be written, the next run measures again."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        cache.write(str(path), json.dumps(values, indent=1, sort_keys=True).encode())


def main() -> int:
    """Measure the default network on this processor, if it has an INT8 form."""
    engine = open_precision(Plan(network=load_network(DEFAULT_NETWORK), log=print))
    engine.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
