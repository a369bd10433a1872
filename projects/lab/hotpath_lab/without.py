"""python -m hotpath_lab.without: what each rule of the identity is worth, by leaving it out.

    python -m hotpath_lab.without --clips DIR... --networks kestrel:int8
    python -m hotpath_lab.without --clips DIR... --films films.json --data DIR --targets FILMS

A rule of ``RULES`` is left out by a number, or by a function without it. All trackers follow each
frame in turns, and a window that several of them look at is run once. Prints the table of
docs/results/identity-rules.md: all rules, then without each of ``--rules``. A column for each set
of films, as ``hotpath_lab.presence`` names them.
"""

import argparse
import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from hotpath.calib import command
from hotpath.calib.errors import BadRun
from hotpath.kernels.settings import ARGMAX
from hotpath.runtime import DEFAULT_NETWORK, loading
from hotpath.runtime.devices.base import STEPS, Device, WindowRequest, copied
from hotpath.runtime.identity import identity, target_path
from hotpath.runtime.search import neighbours, search, wider
from hotpath.runtime.tracker.tracker import Tracker
from hotpath.runtime.types import WindowResult
from hotpath_lab import presence, state_metrics, trackers
from hotpath_lab.follow import take

ALL = "all rules"
Patch = tuple[Any, str, Any]  # a module or class, one of its names, and what that is without a rule
RULES: dict[str, Sequence[Patch]] = {
    "swaps": [(neighbours, "FEWEST", math.inf)],
    "choice": [(search, "prior_of", lambda network: ARGMAX)],
    "jumps": [(search, "JUMP", math.inf)],
    "wider": [(wider, "AGAIN", 0)],
    "follower": [(target_path, "BEHIND", math.inf)],
    "colours": [(identity, "COLOURS_DENY", 0.0)],
    "frames": [(identity, "FRAMES", 1)],
    "sudden": [(identity, "SUDDEN", 0.0)],
    "prior": [(identity, "AFTER", 3.5), (identity, "MOST_UNVERIFIED", 1.0)],
    "probation": [(identity, "PROBATION", 1e-9)],
    "patience": [(identity, "PATIENCE", math.inf)],
    "followed": [(identity, "FOLLOWED", 0)],
    "smooth": [(identity, "KEPT", 0.0)],
    "early": [(search, "EARLY", 0)],
}


class SharedLooks:
    """A ``Device`` for trackers that follow the same target: each window of a frame is run once."""

    def __init__(self, device: Device) -> None:
        self._device, self._frame = device, None
        self._shown: dict[Any, WindowResult] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._device, name)

    def run(
        self, frame: Any, requests: Sequence[WindowRequest]
    ) -> tuple[list[WindowResult], dict[str, float]]:
        """See ``Device.run``."""
        if frame is not self._frame:
            self._frame, self._shown = frame, {}
        results = []
        for request in requests:
            key = request.around.tobytes(), request.sides, request.prior, request.reads
            if key not in self._shown:
                self._shown[key] = copied(self._device.run(frame, [request])[0][0])
            shown = self._shown[key]
            own = shown if shown.states is None else shown._replace(states=shown.states.copy())
            results.append(own)
        return results, dict.fromkeys(STEPS, 0.0)


@contextlib.contextmanager
def without(rule: str) -> Iterator[None]:
    """Leave a rule out as long as the context lasts."""
    patches = RULES.get(rule, ())
    kept = [(owner, name, vars(owner)[name]) for owner, name, _ in patches]
    for owner, name, value in patches:
        setattr(owner, name, value)
    try:
        yield
    finally:
        for owner, name, value in kept:
            setattr(owner, name, value)


def opened(spec: trackers.Spec, rules: Sequence[str]) -> dict[str, Tracker]:
    """Return a tracker for each rule, without it, and one with all."""
    devices: Any = [each and SharedLooks(each) for each in loading.open_devices(spec.options)]
    made = {}
    for rule in [ALL, *rules]:
        with without(rule):
            made[rule] = loading.tracker_on(devices[0], spec.options, devices[1])
    return made


def follow(made: dict[str, Tracker], clip: Any) -> dict[str, dict[str, Any]]:
    """Track a clip with all trackers; returns by rule what ``hotpath_lab.state_metrics`` takes."""
    names = "boxes", "states", "certainty", "found"
    results: dict[str, dict[str, Any]] = {rule: {name: [] for name in names} for rule in made}
    for index, frame in enumerate(clip):
        for rule, tracker in made.items():
            with without(rule):
                row = take(tracker, frame, None if index else clip.boxes[0])
            for name, value in zip(names, row):
                results[rule][name].append(value)
    return results


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    cli = command.parser("hotpath_lab.without", __doc__)
    presence.add_set_options(cli)
    cli.add_argument("--rules", default=",".join(RULES), metavar="NAME,NAME")
    cli.add_argument("--networks", default=DEFAULT_NETWORK, metavar="NAME", help="one network")
    command.add_network_options(cli)
    return cli


def run(options: argparse.Namespace) -> None:
    """Track, and print the table."""
    rules = options.rules.split(",")
    unknown = sorted(set(rules) - set(RULES))
    if unknown:
        raise BadRun(f"there is no rule {unknown[0]}; there are: {', '.join(RULES)}")
    spec, *others = trackers.specs_of(options)
    if others:
        raise BadRun("name one network; each rule is a row")
    made = opened(spec, rules)
    rows = {rule: [rule] for rule in made}
    sets = presence.sets_of(options)
    for members in sets.values():
        runs = [(follow(made, member), member) for member in members]
        for rule, row in rows.items():
            row.append(cell([(results[rule], member) for results, member in runs]))
    heads = ["without", *sets]
    for line in [heads, ["---"] * len(heads), *rows.values()]:
        print(state_metrics.table_row(line))


def cell(runs: Sequence[tuple[dict[str, Any], Any]]) -> str:
    """Mean AUC; wrong tracked frames, wrong ones of any word with a high presence; right boxes that
    are tracked; right, wrong finds.
    """
    table = state_metrics.figures(presence.frames_of(*pair) for pair in runs)
    area = float(np.mean([presence.area(*pair) for pair in runs]))
    wrong = "{tracked_wrong:,}, {wrong_high:,}".format(**table)
    finds = "{finds_right}, {finds_wrong}".format(**table)
    return (
        f"{state_metrics.short(area)}; {wrong}; {state_metrics.short(table['right_said'])}; {finds}"
    )


main = command.main("hotpath_lab.without", run, parser)

if __name__ == "__main__":
    raise SystemExit(main())
