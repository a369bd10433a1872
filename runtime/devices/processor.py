"""The tracker of a processor: a frame's five steps in the order in which they happen.

    crop -> features -> correlate -> head -> select

Features, correlation and head are the engine's one call; crop and select are the kernels'. What a
family does differently (several scales, a model that learns) is in ``runtime.decode``. Which
windows of a frame it searches is in ``runtime.geometry``.
"""

import math
import time
from typing import Any, Callable, FrozenSet, Optional, Sequence, Tuple

import numpy as np

from kernels.errors import NO_SCORE, NetworkFailed
from runtime import decode, geometry
from runtime.engines.base import Engine, Lane
from runtime.errors import NoEngine
from runtime.learner.classifier import Classifier, View
from runtime.learner.head import Head
from runtime.learner.proposals import Places
from runtime.loss import LossMonitor
from runtime.networks import Network
from runtime.pictures import AnyFrame, JpegFrame, pixels_of
from runtime.search import colour
from runtime.search.budget import SHARE, Budget
from runtime.search.search import PARTS, Search
from runtime.states import LOST, TRACKED, StateMachine
from runtime.tracker import Tracker
from runtime.types import Track, checked_box, checked_frame

# A target that is tracked is judged in one frame of JUDGED; the classifier learns it in the others.
# Each of the two takes about a tenth of an INT8 frame's time.
JUDGED = 4
FOLLOWED = 16  # frames after a loss in which the usual window alone is searched

Cropper = Callable[[AnyFrame, Any], None]


class HostTracker(Tracker):
    """Follows one target.

    Args:
        network: the ``Network``.
        engine: an engine that holds it (see ``runtime.engines.base``).
        kernels: crop and select (see ``kernels.cpu.load``).
        recover: whether a lost target is searched for, where network and engine allow it.
        budget_ms, budget_share: see ``runtime.search.budget``.
        parts: of the search, see ``runtime.search.search.PARTS``.
        online: whether a classifier learns the target while it is tracked (``runtime.learner``);
            None for what the network's TOML says.

    Raises:
        NoEngine: ``online`` is asked for, and network or engine do not allow it.
    """

    can_rehearse = True

    def __init__(
        self,
        network: Network,
        engine: Engine,
        kernels: Any,
        *,
        recover: bool = False,
        budget_ms: Optional[float] = None,
        budget_share: float = SHARE,
        parts: FrozenSet[str] = PARTS,
        online: Optional[bool] = None,
    ) -> None:
        super().__init__(network, engine)
        self.kernels, self.kernels_name = kernels, kernels.name
        self.decoder = decode.create(network, kernels)
        self.features: Any = None  # of the exemplar, as the engine's search takes them
        self.memory: Any = None  # of the decoder, about the target
        self._monitor = LossMonitor(network, kernels) if network.lost_below > 0 else None
        self._budget = Budget(budget_ms, budget_share)
        self._search: Optional[Search] = None
        self._frame: Any = None  # that is being searched
        self._before = np.zeros(4)  # the last frame's state
        self._turn = 0  # frames since the search judged the target
        self._border = np.zeros(3, np.uint8)  # colour of the pixels outside the frame
        self._crop_exemplar = self.cropper(engine.exemplar_crop)
        self.search_on(engine)
        recover = recover and not self.why_no_search
        if online is None:
            online = network.online and not self.why_not_online
        elif online and self.why_not_online:
            raise NoEngine(f"no online head: {self.why_not_online}")
        self._classifier: Optional[Classifier] = None
        self._head: Optional[Head] = None
        if recover or online:
            self._classifier = Classifier(network, kernels)
            if recover:
                compiled = colour.compiled(kernels)
                self._search = Search(
                    network,
                    kernels,
                    self._classifier,
                    self._budget,
                    self._colours_under(compiled.histogram if compiled else colour.histogram),
                    compiled.project if compiled else colour.project,
                    parts,
                )
            if online:
                self._head = Head(Places(network, kernels), self._classifier)
        self._states = StateMachine(
            self._search.unsure_below if self._search else network.unsure_below
        )

    def init(self, frame: AnyFrame, box: Sequence[float]) -> None:
        """Take a target; see ``Tracker.init``."""
        self.check_open()
        frame = checked_frame(frame)
        box = checked_box(box, frame.shape)
        height, width = frame.shape[:2]
        self.state = geometry.state_of(self.network, box, width, height)
        self._frame_shape = frame.shape
        self._border = geometry.border_colour(self.network, frame)
        if self._search:  # it may be looking for the last target
            self._search.active = False
        if self._monitor:
            self._monitor.widened = 1.0

        # exemplar: crop and features, kept for all later frames
        self._crop_exemplar(frame, geometry.exemplar_window(self.network, self.state))
        self.features, self.memory = self.decoder.remember(self.engine.exemplar(), self.state)
        features, scale = None, None
        if self._monitor or self._classifier:
            features, scale = self._first_features(frame)
        self._begin_watching(frame, features, scale)

    def _begin_watching(self, frame: AnyFrame, features: Any, scale: Any) -> None:
        """Let all that judges the target know it by the features of the first search region."""
        self._states.begin()
        if self._monitor:
            self._monitor.begin(self.state, features, scale)
        if self._classifier:
            self._classifier.begin(self.state, View(self.state, scale, features))
        if self._search:
            self._turn = 0
            self._search.begin(frame, self.state)

    def update(self, frame: AnyFrame) -> Track:
        """Find the target in the next frame; see ``Tracker.update``."""
        self.begin(frame)

        # crop the search region around the last position; features, correlation and head
        for index, factor in enumerate(self.decoder.factors):
            scale = self.crop(frame, factor)
            maps = self.collect_maps(index, self.timed("network", self._lane.search, self.features))

        # select the best cell and move there
        track = self.select(maps, scale, self._lane.search_features)

        # while the target is lost: further windows, where the budget allows
        track = self.search_more(frame, track)

        # families that learn search again, where the target was found
        if self.decoder.learns:
            self.crop(frame, 1.0)
            self.learn(self.timed("network", self._lane.search, self.features))
        return track

    def rehearse(self, frame: AnyFrame) -> None:
        """See ``Tracker.rehearse``; of several windows, and of learning, only the first search."""
        if self.state is None or frame.shape != self._frame_shape:
            return
        if self._search and self._search.active:  # its next window belongs to the next frame
            return
        scale = self.crop(frame, self.decoder.factors[0])
        maps = self._lane.search(self.features)
        if self.decoder.learns or len(self.decoder.factors) > 1:
            return
        self._before[:] = self.state
        height, width = self._frame_shape[:2]
        try:
            self.decoder.select(maps, self.state, scale, width, height)
        except NetworkFailed:
            pass  # the frame that was rehearsed has told it
        finally:
            self.state[:] = self._before

    def suggest(self, boxes: np.ndarray) -> None:
        """See ``Tracker.suggest``."""
        if self._search and self._search.active:
            height, width = self._frame_shape[:2]
            states = [geometry.state_of(self.network, box, width, height) for box in boxes]
            self._search.suggest(np.array(states).reshape(-1, 4))

    def search_on(self, lane: Lane) -> None:
        """Search there from now on: on the engine, or on one of its lanes."""
        self._lane = lane
        self._crop_search = self.cropper(lane.search_crop)

    # the steps of a frame, which ``runtime.targets.schedule`` takes with several trackers at once

    def begin(self, frame: AnyFrame) -> None:
        """Check a frame, and scale the target where the frame's size changed; see ``update``."""
        self.check_target()
        checked_frame(frame)
        if frame.shape != self._frame_shape:
            self._rescale(frame.shape)
        self.step_ms.update(crop=0.0, network=0.0, select=0.0)
        self._frame = frame
        self._budget.begin()

    def crop(
        self, frame: AnyFrame, factor: float, cropper: Optional[Cropper] = None
    ) -> Tuple[float, float]:
        """Write the search region, ``factor`` times as large, into the engine's input.

        Args:
            frame: as in ``update``.
            factor: of the search region's sides.
            cropper: writes the input (see ``cropper``); None for the one of ``search_on``.

        Returns:
            (x, y), search pixels per frame pixel.
        """
        state, widened = self.state, self.widened
        if self._search and self._search.active:
            _, state, widened = self._search.next_window(state, frame)
        window, scale = geometry.search_window(self.network, state, factor * widened)
        self.timed("crop", cropper or self._crop_search, frame, window)
        return scale if widened == 1.0 else (scale[0] / widened, scale[1] / widened)

    def collect_maps(self, index: int, maps: Any) -> Any:
        """Take in the network's maps of window ``index``; returns what ``select`` takes."""
        return self.timed("select", self.decoder.look, index, maps, self.memory)

    def select(self, maps: Any, scale: Tuple[float, float], search_features: Any = None) -> Track:
        """Move to the best cell, unless the target is lost; returns the ``Track``.

        Args:
            maps: from ``collect_maps``.
            scale: from ``crop``.
            search_features: features of the search region (see ``runtime.loss``).

        Raises:
            NetworkFailed: nothing that was found is finite; the target stays where it was.
        """
        self._before[:] = self.state
        started = time.perf_counter()
        if self._search and self._search.active:
            found, score = self._search.judge(
                self._frame, maps, self.decoder, search_features, scale, self.state
            )
            lost = not found
        else:
            score = self._choose(maps, scale, search_features)
            self._turn += 1
            due = not self._search or self._states.state != TRACKED or self._turn >= JUDGED
            lost = due and self._is_lost(score, scale, search_features)
        box = geometry.box_of(self.network, self.state)
        if not math.isfinite(sum(box) + score):
            self.state[:] = self._before
            raise NetworkFailed(NO_SCORE)
        state = self._states.step(lost, self.certainty)
        if self._classifier and self._learns(state):
            view = View(self._before, scale, search_features)
            rejected = self._head.rejected if self._head else None
            self._classifier.follow(self.state, view, state == TRACKED, rejected)
        if self._search and not self._search.active:
            self._prepare_search(state)
        self.step_ms["select"] += (time.perf_counter() - started) * 1e3
        return Track(box, score, lost, state)

    def _choose(self, maps: Any, scale: Any, search_features: Any) -> float:
        """Move to the best cell, or to the place that the head prefers; returns its score."""
        height, width = self._frame_shape[:2]
        best, score = self.decoder.select(maps, self.state, scale, width, height)
        if self._head is None:
            return score
        view = View(self._before, scale, search_features)
        return self._head.choose(maps, best, score, view, self.state, (width, height))

    def _learns(self, state: str) -> bool:
        """Whether the classifier takes this frame: not one in which the search judges."""
        if self._search is None:
            return True
        return not self._search.active and (state != TRACKED or self._turn > 0)

    def _is_lost(self, score: float, scale: Tuple[float, float], search_features: Any) -> bool:
        """Whether the target that was followed to ``state`` is lost; arguments as in ``select``."""
        if self._search:
            was_lost = self._states.state == LOST
            seen = self._before, score, search_features, scale
            frames, self._turn = self._turn, 0
            return self._search.doubts(self._frame, self.state, *seen, was_lost, frames)
        if self._monitor is None:
            return False
        score = self.decoder.certain(score)
        return self._monitor.watch(self.state, self._before, score, search_features, scale)

    def _prepare_search(self, state: str) -> None:
        """Keep the place of a tracked target; start the search of one that stays lost."""
        search = self._search
        assert search is not None, "no target is searched for"
        if state == TRACKED:
            search.certain(self.state)
        elif state == LOST and self._states.lost_frames > FOLLOWED:
            search.start()
        self._budget.tracked()

    def search_more(self, frame: AnyFrame, track: Track) -> Track:
        """Search further windows of a frame while the target is lost and the budget allows."""
        search = self._search
        if search is None:
            return track
        while search.active and not search.waits and self._another_fits():
            scale = self.crop(frame, 1.0)
            maps = self.timed("network", self._lane.search, self.features)
            track = self.select(maps, scale, self._lane.search_features)
        self._frame = None
        return track

    def _another_fits(self) -> bool:
        """Whether one more window of the search fits into the frame."""
        return self._budget.fits()

    def learn(self, maps: Any) -> None:
        """Learn from the maps of the window around the target that was just found."""
        self.timed("select", self.decoder.learn, maps, self.memory)

    @property
    def searches(self) -> bool:  # type: ignore[override]  # read only here
        """See ``Tracker.searches``."""
        return self._search is not None

    @property
    def why_no_search(self) -> str:  # type: ignore[override]  # read only here
        """See ``Tracker.why_no_search``; empty where nothing forbids a search."""
        if self._monitor is None or self.network.found_above <= 0:
            return f"no thresholds for it in the TOML of {self.network.name}"
        if self._lane.search_features is None:
            return f"the graph of {self.network.name} shows no features to compare"
        if len(self.decoder.factors) > 1 or self.decoder.learns:
            return f"{self.network.name} searches several sizes, or learns"
        return ""

    @property
    def why_not_online(self) -> str:
        """The reason why no online head can work; empty where one can."""
        if not isinstance(self._lane.search_features, np.ndarray):
            return f"the graph of {self.network.name} shows no features to learn"
        if self.network.family != "points":
            return f"it knows the maps of the family points, not {self.network.family}"
        return ""

    @property
    def certainty(self) -> Optional[float]:
        """As ``Tracker``'s; the evidence where a lost target is searched for."""
        if self._search:
            return self._search.evidence.smoothed
        return self._monitor.certainty if self._monitor else None

    @property
    def widened(self) -> float:
        """As ``Tracker``'s."""
        return self._monitor.widened if self._monitor else 1.0

    def _first_features(self, frame: AnyFrame) -> Tuple[Any, Any]:
        """Search around the first box: (features of the search region or None, scale)."""
        features = self._lane.search_features
        if features is None and not self.decoder.compares:
            return None, None
        scale = self.crop(frame, 1.0)
        self.decoder.first(self._lane.search(self.features))
        return features, scale

    def timed(self, step: str, function: Callable, *arguments: Any) -> Any:
        """Call a function and add the time that it took to ``step_ms``."""
        started = time.perf_counter()
        result = function(*arguments)
        self.step_ms[step] += (time.perf_counter() - started) * 1e3
        return result

    def cropper(self, out: Any) -> Cropper:
        """The function (frame, window) that writes the input ``out`` of the network."""
        network = self.network
        return self._writer(out, network.mean, network.scale, network.channels == "RGB")

    def _writer(self, out: Any, *packing: Any) -> Cropper:
        """The function (frame, window) that writes a crop; mean, scale and swap as in ``crop``."""
        has_fractions = self.network.resample == "warp"
        crop = self.kernels.warp if has_fractions else self.kernels.crop
        rest = (out,) + packing
        size = out.shape[-1], out.shape[-2]

        def write(frame: AnyFrame, window: geometry.Window) -> None:
            if not isinstance(frame, JpegFrame):
                crop(pixels_of(frame), window, self._border, *rest)
                return
            # decode no more of it, and no larger, than the crop needs
            picture, scale = frame.part(window, min(window[2] / size[0], window[3] / size[1]))
            if scale == 1:
                crop(picture, window, self._border, *rest)
            else:
                reduced = geometry.reduced_window(window, size, scale, has_fractions)
                self.kernels.warp(picture, reduced, self._border, *rest)

        return write

    def _colours_under(self, histogram: Any) -> Callable[[AnyFrame, np.ndarray], np.ndarray]:
        """The function (frame, state) that gives the colours in a box (see ``search.colour``)."""
        patch = np.zeros((3, colour.PATCH, colour.PATCH), np.uint8)
        crop, picture = self._writer(patch), patch.transpose(1, 2, 0)

        def colours(frame: AnyFrame, state: np.ndarray) -> np.ndarray:
            cx, cy, w, h = state.tolist()
            window = int(cx - w / 2), int(cy - h / 2), max(1, int(w)), max(1, int(h))
            crop(frame, window)
            shares: np.ndarray = histogram(picture, colour.MIDDLE)
            return shares

        return colours

    def _rescale(self, shape: Tuple[int, ...]) -> None:
        """A source changed its resolution: carry the target over in proportion."""
        x, y = shape[1] / self._frame_shape[1], shape[0] / self._frame_shape[0]
        self.state *= (x, y, x, y)
        if self._monitor:
            self._monitor.rescale((x, y, x, y))
        if self._search:
            self._search.rescale((x, y, x, y))
        self._frame_shape = shape
