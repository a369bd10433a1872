"""The options of a tracker as one value, for all functions that load a tracker."""

import os
import pathlib
from typing import (
    Any,
    Callable,
    Mapping,
    NamedTuple,
    Optional,
    Union,
)

from hotpath.runtime.errors import BadOption

PathLike = Union[str, pathlib.Path]
NO_WITNESS = "none"
AUTO, FP32, INT8 = PRECISIONS = ("auto", "fp32", "int8")
Log = Optional[Callable[[str], None]]


class Options(NamedTuple):
    """The arguments of ``load_tracker`` and ``load_targets``.

    Attributes:
        network: name of a network (see ``hotpath networks``), or the path of a TOML. None takes
            the bundle's network, or the board's, or ``DEFAULT_NETWORK``.
        engine: "auto", or the name of a file in ``runtime/engines``, such as "openvino" or
            "onnxruntime". "tensorrt" and "overlay" run the bundle of this board.
        precision: "fp32", "int8" or "auto". "auto" takes INT8 if the network has an INT8 form and
            this processor has instructions for it. A bundle must have this precision; with "auto"
            it may have any.
        networks_dir: folder with the network's files. None looks beside the TOML and among the
            downloaded files.
        threads: threads that run the network, at most the usable cores. None is one, or on x86
            without VNNI half of the cores, at most four.
        log: function that takes one sentence for the user. None passes each sentence to
            ``logging.getLogger("hotpath")``, with the level INFO.
        bundle: folder that ``make engine`` wrote, to follow with its network alone. None takes the
            bundle of the board's network that was built last, or of ``network``, if any.
        recover: whether to search for a lost target in the whole picture. False only reports a
            loss. None searches if network and engine can and the board's profile says so, else each
            target is always tracked.
        witness: name of a second network, or the path of its TOML, that checks the first one: the
            target is "tracked" if both follow it in the same place. "none" switches it off. None
            takes the board's witness if the network is the board's, too.

    Example:
        >>> load_tracker("kestrel_fast", precision="fp32", threads=1).name
        'kestrel_fast'
    """

    network: Optional[PathLike] = None
    engine: str = AUTO
    precision: str = AUTO
    networks_dir: Optional[PathLike] = None
    threads: Optional[int] = None
    log: Log = None
    bundle: Optional[PathLike] = None
    recover: Optional[bool] = None
    witness: Optional[PathLike] = None

    @classmethod
    def of(
        cls, function: str, network: Optional[PathLike], given: Mapping[str, Any], *others: str
    ) -> "Options":
        """Make the options from the keyword arguments of a function.

        Args:
            others: names of the function's own arguments, for a hint.

        Raises:
            TypeError: an argument has none of the names.
        """
        for name in given:
            if name not in cls._fields:
                from hotpath.base.messages import did_you_mean

                names = (*cls._fields, *others)
                hint = did_you_mean(name, names) or "there are: " + ", ".join(names)
                raise TypeError(f"{function} takes no argument {name}; {hint}")
        return cls(network, **given)


DEFAULTS = Options()


def checked(options: Options) -> Options:
    """Return the options if each value has the right type and range.

    Names are checked later, by the code that looks up the network, engine, board or folder.

    Raises:
        BadOption: an option cannot have its value.
    """
    if not isinstance(options.recover, (bool, type(None))):
        raise BadOption(
            f"recover must be true or false, not {options.recover!r:.60}", what="wrong value"
        )
    if options.log is not None and not callable(options.log):
        raise BadOption(
            f"log must be a function of one sentence, such as print, not {options.log}",
            what="wrong value",
        )
    if options.threads is not None:
        check_threads(options.threads)
    return options


def check_threads(threads: object) -> None:
    """Raise ``BadOption`` unless that many threads can run at the same time.

    A container's CPU quota is not considered, because short bursts of more threads fit into it.
    """
    if type(threads) is not int or threads < 1:
        raise BadOption(
            f"threads must be a whole number above 0, not {threads!r}", what="wrong value"
        )
    cores = usable_cores()
    if threads > cores:
        from hotpath.base.messages import counted

        raise BadOption(
            f"threads is {threads}, but this process may use {counted(cores, 'core')}; give at "
            f"most {cores}",
            what="too many",
        )


def usable_cores() -> int:
    """Return the number of processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # less with taskset, and with a container's cpuset
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
