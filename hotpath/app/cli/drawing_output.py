"""Draw the boxes on each picture, for the window (``--show``) and the video (``--save``)."""

import time
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Tuple

from hotpath.app.cli.profile import Profile
from hotpath.base.messages import counted
from hotpath.runtime.errors import HotpathError
from hotpath.runtime.frames.pictures import bgr_of
from hotpath.runtime.types import Track
from hotpath.video import drawing as draw
from hotpath.video.base import Output, TrackedFrame
from hotpath.video.encoder import drawn_canvas

if TYPE_CHECKING:
    from hotpath.app.cli.player import Player
    from hotpath.video.save import BackgroundVideo


class DrawingOutput(Output):
    """Draws each frame once, shows it in the window and saves it in the video.

    Args:
        profile: gets the times of drawing and of the window.
        player: of the window, or None.
        video: of ``--save``, or None. After its first failure it gets no more frames.
        records: function that says whether frames go to the files now.
    """

    def __init__(
        self,
        profile: Profile,
        player: "Optional[Player]",
        video: "Optional[BackgroundVideo]",
        records: Callable[[], bool],
    ) -> None:
        self.profile, self._records = profile, records
        self._player, self._video = player, video
        self._broken: Optional[HotpathError] = None  # why the video takes no more frames
        self._lost: Dict[int, Tuple[int, Optional[float]]] = {}  # target -> frame, time of its loss

    def write(self, tracked: TrackedFrame) -> None:
        """Draw, show and save a frame.

        Raises:
            BadOutput: the video can't be written, now or since an earlier frame.
        """
        records = self._video is not None and self._records()
        video = self._video if records and self._broken is None else None
        if video or self._player:
            frame, index, time_s = tracked[:3]
            tracks = tracked.drawn_tracks()
            began = time.perf_counter()
            since = {"since": self._times_since_loss(index, time_s, tracks)}
            picture: Any = None
            if not self._player:  # then no picture in BGR is needed
                picture = drawn_canvas(frame, tracks, since)
            if picture is None:
                picture = draw.draw(bgr_of(frame), tracks, since)
            drawn = time.perf_counter()
            self.profile.note("drawing", (drawn - began) * 1e3)
            if self._player:
                self._player.show(picture)
                self.profile.note("window", (time.perf_counter() - drawn) * 1e3)
            if video:
                video.video.replaces |= bool(tracks)
                try:
                    video.write(picture, time_s)
                except HotpathError as error:
                    self._broken = error
        if records and self._broken is not None:
            raise self._broken.with_traceback(None)  # it grows, and keeps frames

    def _times_since_loss(
        self, index: int, time_s: Optional[float], tracks: Dict[int, Track]
    ) -> Dict[int, str]:
        """For how long each lost target has been lost."""
        lost = {number: (index, time_s) for number, track in tracks.items() if track.lost}
        self._lost = {number: self._lost.get(number, now) for number, now in lost.items()}
        texts = {}
        for number, (frame, began_s) in self._lost.items():
            texts[number] = counted(index - frame, "frame")
            if time_s is not None and began_s is not None:
                texts[number] = f"{max(0.0, time_s - began_s):.1f} s"
        return texts

    def lines(self) -> List[str]:
        """What the video lost because of the encoder."""
        lines: List[str] = []
        if self._video is None:
            return lines
        if self._video.dropped:
            dropped = counted(self._video.dropped, "frame")
            lines.append(f"left out of the video, because the encoder was late: {dropped}")
        return lines

    def close(self) -> None:
        """Finish the video; raises ``BadOutput`` where that fails."""
        if self._video:
            self._video.close()
            self.files = [self._video.video.name] if self._video.kept else []
