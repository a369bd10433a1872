"""Choose the target's place among the proposals, and keep it apart from its distractors.

The network compares a place with the first frame only, and a distractor of the same kind may score
higher. The classifier has learnt what tells the two apart, and the trajectories of the distractors
show where each of them goes. What follows a lost target is in ``hotpath.runtime.search``.
"""

import math
from typing import Optional, Sequence, Tuple

import numpy as np

from hotpath.kernels.cpu.interface import CpuKernels
from hotpath.kernels.settings import ARGMAX, MOST_PROPOSALS, PLACES, SelectionPrior
from hotpath.kernels.votes import hanning_window, inner_hanning_window
from hotpath.runtime.identity.cues import BoxColours, Cues
from hotpath.runtime.identity.distractors import Distractors
from hotpath.runtime.identity.identity import Identity, IdentityPhase, rules_of
from hotpath.runtime.identity.learner.classifier import Classifier
from hotpath.runtime.network import Network
from hotpath.runtime.types import WindowResult

JUMP = 0.7  # of a box's size: a place farther away from the network's best cell is a jump
NEAREST = 0.5  # weight of the Hanning window against the classifier, where it chooses among peaks
SIZE_LEARNT = 0.1  # share of a tracked frame's size in the one that is searched for
# A target that is tracked is judged in one frame of JUDGED by the classifier and the colours. The
# classifier learns it in another: each of the two takes about a tenth of an INT8 frame's time. Its
# first EARLY updates, which change it most, are made in all frames between the judgements.
JUDGED, EARLY = 4, 12
AT_FIRST, LATER = range(1, JUDGED), (JUDGED // 2,)  # frames after a judgement in which it learns


class DistractorGuard:
    """Chooses the place of one followed target in each frame, and learns the target.

    Args:
        network: the ``Network``.
        kernels: see ``hotpath.kernels.cpu.load``.

    Attributes:
        identity: ``Identity`` of the target, which the cues of this object judge.
        classifier: ``Classifier`` of the target.
        cues: ``Cues`` of the target.
        prior: ``SelectionPrior`` of the target's window.
        chooses: whether ``choose`` may choose another place than the network's own.
        faint: frames in succession with a score below ``wider_below``.
        certain: float64 [cx, cy, w, h], frame pixels, when the target was last certain.
    """

    def __init__(self, network: Network, kernels: CpuKernels) -> None:
        self.network = network
        self.classifier = Classifier(network, kernels)
        self._colours = BoxColours(network, kernels)
        self.cues = Cues(self.classifier, self._colours)
        self.identity = Identity(rules_of(network), self.cues, every=JUDGED)
        self.certain: np.ndarray = self.cues.certain
        self.prior = prior_of(network)
        self.chooses = self.prior.most > 1
        if self.chooses:
            window = inner_hanning_window if network.family == "centre" else hanning_window
            self._near = window(network.map_size).ravel()
        self.reset()

    def begin(self, state: np.ndarray, result: WindowResult, border: np.ndarray) -> None:
        """Start with a new target.

        Args:
            state: float64 [cx, cy, w, h], frame pixels.
            result: the ``WindowResult`` of the first frame.
            border: colour of the pixels outside the frame, (3,) uint8, BGR.
        """
        self.reset()
        self.certain[:] = state
        self._colours.border = border
        self.classifier.begin(state, result)

    def reset(self) -> None:
        """Forget the distractors around a target that is not followed any more."""
        self._distractors: Optional[Distractors] = None  # while a target is followed
        self.faint = 0

    def choose(self, result: WindowResult, is_followed: bool = True) -> Tuple[int, Optional[float]]:
        """Choose among the places where a followed target may be.

        A place that is far from the network's own is a jump, because the target may have left, and
        a distractor be there. A place to which a distractor was moving is a jump, too.

        Args:
            result: the ``WindowResult`` of the window around the last state.
            is_followed: whether the target is followed; else it is searched for there.

        Returns:
            (index, appearance): of the place; the classifier's value of it, or None if it is the
            only one.
        """
        if len(result.scores) == 1:
            if self._distractors and self._went_to_distractor(result, 0, is_followed):
                self.identity.expect_another_object()
            return 0, None
        appearance = self.classifier.appearance(result)
        likely = int(np.argmax(appearance + NEAREST * self._near[result.cells]))
        # without a likely place the target may be gone, and no other place is better
        chosen = likely if appearance[likely] > 0 else 0
        jumps = self._went_to_distractor(result, chosen, is_followed)
        if chosen:
            own, other = result.states[0].tolist(), result.states[chosen].tolist()
            far = math.hypot(other[0] - own[0], other[1] - own[1])
            jumps = jumps or far > JUMP * math.sqrt(own[2] * own[3])
        if jumps:
            self.identity.expect_another_object()
        return chosen, float(appearance[chosen])

    def _went_to_distractor(self, result: WindowResult, chosen: int, is_followed: bool) -> bool:
        """Whether the box continues on the trajectory of a distractor."""
        if not is_followed:
            return False
        if self._distractors is None:
            self._distractors = Distractors()
        return self._distractors.took_box(result.states, result.scores, chosen)

    @property
    def learns(self) -> bool:
        """Whether ``learn`` may learn the next frame, which then needs the window's features."""
        identity, ridge = self.identity, self.classifier.ridge
        if not identity.learns or ridge.busy:
            return False
        return identity.since + 1 in (AT_FIRST if ridge.updates < EARLY else LATER)

    def learn(self, state: np.ndarray, result: WindowResult) -> None:
        """End a frame in which the target was tracked or found again.

        The classifier learns the target if that can change its answers. The place of a tracked
        target is stored.

        Args:
            state: float64 [cx, cy, w, h] of the target in this frame, frame pixels.
            result: the ``WindowResult`` of the window that shows it.
        """
        identity, classifier = self.identity, self.classifier
        self.faint = self.faint + 1 if result.scores[0] < self.network.wider_below else 0
        is_tracked, learns = identity.phase == IdentityPhase.CONFIRMED, identity.learns
        turns = AT_FIRST if classifier.ridge.updates < EARLY else LATER
        if not is_tracked or identity.since in turns:
            classifier.learn(state, result, learns)
        if is_tracked:
            x, y, w, h = state.tolist()  # a sixth of the time of arrays
            _, _, kept_w, kept_h = self.certain.tolist()
            kept_w += (w - kept_w) * SIZE_LEARNT
            kept_h += (h - kept_h) * SIZE_LEARNT
            self.certain[:] = x, y, kept_w, kept_h
            if learns:
                self.cues.tracked += 1

    def rescale(self, factors: Sequence[float], certain: Optional[np.ndarray] = None) -> None:
        """Adapt to a new frame size.

        Args:
            factors: (4,), new by old width, height, width and height of the frame.
            certain: float64 [cx, cy, w, h], frame pixels, of the target when it was last certain;
                None: as it is known here.
        """
        self.certain *= factors
        if certain is not None:
            self.certain[:] = certain
        self.identity.rescale()
        self._distractors = None


def prior_of(network: Network) -> SelectionPrior:
    """Return the prior of a followed target's window: that of several peaks if it has a share."""
    if network.family in PLACES and network.peak_share > 0:
        return SelectionPrior(most=MOST_PROPOSALS, share=network.peak_share)
    return ARGMAX
