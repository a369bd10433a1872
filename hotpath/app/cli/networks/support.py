"""Find out where a network can run: on a GPU, in this computer's engines, in an FPGA.

``on_gpus`` follows from the network's TOML. ``on_engines`` tries and times the installed engines,
and ``on_fpgas`` asks the FPGA's compiler.
"""

import pathlib
import time
from collections import Counter
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np

from hotpath import boards
from hotpath.base.errors import NotOnGpu
from hotpath.base.messages import counted, make_command
from hotpath.runtime import engines
from hotpath.runtime.errors import HotpathError
from hotpath.runtime.network import Network

Verdicts = List[Tuple[str, str]]  # (name of an engine or title of a board, sentence)

FEWEST_RUNS, MOST_RUNS, TIMED_MS = 5, 100, 500  # of a frame, by which an engine is timed


def on_gpus(network: Network) -> str:
    """Say which parts of a frame run on a GPU, in a phrase."""
    from hotpath.runtime.devices.gpu import frame_settings

    try:
        frame_settings(network)
    except NotOnGpu as error:
        why = str(error).split("; ")[0]  # what follows is what to run instead
        return f"the network alone, with crop and select on the processor: {why}"
    return "crop, network and select"


def on_engines(network: Network, paths: Dict[str, pathlib.Path]) -> Verdicts:
    """Run a network in each installed engine: its name, and a sentence with milliseconds.

    ``paths`` is a dict of part -> path, as ``network.locate()`` gives it.
    """
    results = []
    for name in engines.choices(of_files=True)[1:]:
        if not engines.find(name).is_installed():
            results.append((name, "not installed"))
            continue
        try:
            engine = engines.create(name, network, paths)
            features = engine.exemplar()
            inputs = features if len(paths) > 1 or "whole" in paths else ()
            values = dict(engine.describe(), ms=_median_ms(engine.search, inputs))
            values["threads"] = counted(values.get("threads", 1), "thread")
            text = "{ms:.2f} ms a frame (median) on {device}, {precision}, {threads}, {version}"
            results.append((name, text.format(**values)))
            engine.close()
        except HotpathError as error:
            results.append((name, f"can't: {error}"))
    return results


def _median_ms(run: Callable[..., object], *inputs: Any) -> float:
    """The median time of some runs, after two that make the library ready."""
    times: List[float] = []
    while len(times) < MOST_RUNS and (len(times) < FEWEST_RUNS or sum(times) < TIMED_MS):
        started = time.perf_counter()
        run(*inputs)
        times.append((time.perf_counter() - started) * 1e3)
    return float(np.median(times[2:]))


def on_fpgas(
    network: Network, parts: Dict[str, Any], survey: Optional[Callable[..., Any]]
) -> Verdicts:
    """Say for each board with an FPGA what its compiler says of a network.

    Args:
        parts: of ``quantisable.parts``.
        survey: that of the FPGA's compiler, or None.
    """
    named = [board for board in map(boards.load_board, boards.names()) if board.engine == "overlay"]
    if survey is None:
        text = f"its compiler can say it: `{make_command('setup', ALSO='fpga')}` in a clone"
        return [(board.title, text) for board in named]
    return [(board.title, _on_fpga(survey(network, parts, board.name))) for board in named]


def _on_fpga(answer: Any) -> str:
    """What the FPGA's compiler refuses, of a ``Survey``; the reason of the first of each kind."""
    if not answer.refused:
        return f"{answer.cycles:,} cycles a frame in the FPGA's engine, by its compiler"
    counts = Counter(operator for operator, _ in answer.refused)
    first = dict(reversed(answer.refused))
    reasons = []
    for operator, number in counts.items():
        sentence = first[operator].partition("; ")[0]
        why = sentence.partition(f"({operator}) needs ")[2] or sentence
        reasons.append(f"{operator} {number} ({why})" if operator else f"it: {first[operator]}")
    return "the FPGA's engine refuses " + ", ".join(reasons)
