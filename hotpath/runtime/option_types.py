"""Types of a tracker's keyword arguments, for type checkers and editors only."""

from typing import TYPE_CHECKING, Optional, Sequence, Union

if TYPE_CHECKING:
    from typing_extensions import TypedDict

    from hotpath.runtime.options import Log, PathLike

    class Keywords(TypedDict, total=False):
        """The fields of ``Options`` but the first, for type checkers and editors.

        ``load_tracker``, ``load_targets`` and ``hotpath.track`` take them by name.
        """

        engine: str
        precision: str
        networks_dir: Optional[PathLike]
        threads: Optional[int]
        log: Log
        bundle: Optional[PathLike]
        recover: Optional[bool]
        witness: Optional[PathLike]

    class TrackKeywords(Keywords, total=False):
        """The arguments of ``hotpath.track`` that say nothing about its result."""

        snug: bool
        classes: Optional[Sequence[str]]
        fps: Optional[float]
        depth: Optional[int]
        start: Union[float, str, None]
        insecure: bool
        network: Optional[PathLike]
