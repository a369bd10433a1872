"""Score the numbers of a network's TOML on annotated clips, for ``hotpath tune``.

overlap   the mean overlap of whole tracks, on the clips
lost      on films or clips in which the target goes away: F, plus the share of returns that are
          found within 30 frames, minus the share of the frames without the target that claim it

Two goals add up. ``hotpath_lab.metrics`` and ``hotpath_lab.longterm.metrics`` define the
figures.
"""

import copy
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np

from hotpath.calib.errors import BadRun
from hotpath.kernels import cpu
from hotpath.runtime import engines
from hotpath.runtime.devices.processor import Processor
from hotpath.runtime.errors import BadClips
from hotpath.runtime.network import Network
from hotpath.runtime.networks import sha256_of
from hotpath.runtime.tracker import Tracker
from hotpath_lab import metrics
from hotpath_lab.conventions import OWN, Conventions
from hotpath_lab.follow import follow
from hotpath_lab.longterm.metrics import Judged
from hotpath_lab.longterm.metrics import figures as figures_of
from hotpath_lab.vanishing import CUT, KINDS, Vanishing

OVERLAP, LOST = GOALS = ("overlap", "lost")
MOST_BYTES = 2 << 30  # of decoded frames
SEARCH = ("search_lost_below", "look_above", "found_above")
PEAKS = ("peak_share",)  # it needs the search
FIGURES = ("overlap", "f", "found_in_30", "claimed_while_gone")
Numbers = dict[str, Any]  # parameter -> its number, or the name of a convention


class Part(NamedTuple):
    """What numbers are scored on.

    Attributes:
        clips: for the goal ``overlap``.
        away: films or clips in which the target is away at times, for the goal ``lost``.
    """

    clips: Sequence[Any]
    away: Sequence[Any]


def part_of(goals: Sequence[str], clips: Sequence[Any], films: Sequence[Any], share: int) -> Part:
    """Return a ``Part`` of clips, which are held in memory if they have at most ``share`` bytes.

    Without films, each clip whose target stays gets copies from which it goes away. A clip is not
    cut into itself.

    Raises:
        BadClips: a clip has one frame.
    """
    for clip in clips:
        if len(clip) < 2:
            raise BadClips(f"{clip.name}: has one frame, so nothing is followed; leave it out")
    held = [clip.in_memory(share // len(clips)) for clip in clips]
    away = list(films)
    for index, clip in enumerate(held) if LOST in goals and not films else ():
        if np.isfinite(clip.boxes).all():
            other = held[(index + 1) % len(held)]
            away += [Vanishing(clip, kind, other) for kind in KINDS if kind != CUT or other != clip]
        else:
            away.append(clip)
    return Part(held if OVERLAP in goals else [], away)


class Scorer:
    """Scores numbers of one network.

    Args:
        network: the network.
        options: ``engine`` and ``networks_dir`` of the command.
        goals: of ``GOALS``.
        names: the keys of [tracking] that will change. They decide whether the tracker searches
            for a lost target: with thresholds of the search or of the choice among its peaks, and
            for the goal ``lost`` if the network can.
        conventions: of the network; its questions may be among the numbers that are scored.

    Attributes:
        depends: what the scores depend on besides numbers and clips.
    """

    def __init__(
        self,
        network: Network,
        options: Any,
        goals: Sequence[str],
        names: Sequence[str],
        conventions: Conventions | None = None,
    ) -> None:
        self._network, self._goals, self._conventions = network, goals, conventions
        named = not set(names).isdisjoint(SEARCH + PEAKS)
        self._engine, self._paths = options.engine, network.locate(options.networks_dir)
        paths = self._paths
        files = {part: sha256_of(path) for part, path in paths.items()}
        self.depends = [options.engine, sha256_of(network.path), files, list(goals)]
        cv2.setNumThreads(1)
        self._parts = engines.create(options.engine, network, paths), cpu.load()
        self._other: tuple[Any, Network, Any] | None = None  # answers, network, engine
        self._searches = named or LOST in goals
        if self._searches:
            thresholds = dict.fromkeys(
                set(names).intersection(SEARCH), 0.5
            )  # above 0: there is one
            why = self._tracker(thresholds).why_no_search
            if why and named:
                raise BadRun(f"{network.name} can't search for a lost target: {why}")
            self._searches = not why
        self._kept: dict[tuple[int, str], dict[str, Any]] = {}

    def figures(self, numbers: Numbers, part: Part) -> dict[str, float]:
        """Return the figures of a part, of ``FIGURES`` and others; NaN where nothing is measured.

        ``score`` is that of the goals. A NaN counts as zero in it.
        """
        figures: dict[str, float] = {}
        if OVERLAP in self._goals:
            runs = ((self._run(numbers, clip)["boxes"], clip.boxes) for clip in part.clips)
            figures["overlap"] = float(np.mean([metrics.figures(*run)["ao"] for run in runs]))
        if LOST in self._goals:
            judged = []
            for sequence in part.away:
                run, visible = self._run(numbers, sequence), getattr(sequence, "known", None)
                judged.append(Judged(run["boxes"], run["claimed"], sequence.boxes, visible))
            figures.update(figures_of(judged))
        terms = [(figures.get(name, 0.0), -1 if "claimed" in name else 1) for name in FIGURES]
        figures["score"] = float(sum(np.nan_to_num(value) * sign for value, sign in terms))
        return figures

    def _run(self, numbers: Numbers, sequence: Any) -> dict[str, Any]:
        """What ``follow`` gives of a sequence; one with the same boxes is not tracked again."""
        key = id(sequence), json.dumps(numbers, sort_keys=True)
        if key not in self._kept:
            self._kept[key] = follow(self._tracker(numbers), sequence)
        return self._kept[key]

    def _tracker(self, numbers: Numbers) -> Tracker:
        answers = {key: value for key, value in numbers.items() if isinstance(value, str)}
        network, engine = self._with(answers)
        network = copy.copy(network)  # the engine's does not change
        vars(network).update({key: numbers[key] for key in set(numbers) - set(answers)})
        device = Processor(network, engine, self._parts[1])
        return Tracker(device, recover=self._searches)

    def _with(self, answers: dict[str, str]) -> tuple[Network, Any]:
        """The network with other conventions, and its engine. The last one stays open."""
        if self._conventions is None or set(answers.values()) <= {OWN}:
            return self._network, self._parts[0]
        if self._other is None or self._other[0] != answers:
            if self._other is not None:
                self._other[2].close()
                self._other = None
            network = self._conventions.network(answers)
            engine = engines.create(self._engine, network, self._paths)
            self._other = answers, network, engine
        return self._other[1:]
