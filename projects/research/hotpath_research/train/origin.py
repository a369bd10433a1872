"""Record what weights were made from: teacher, pictures and licences, by the log of their run.

``log.jsonl`` lies beside a checkpoint, or above its folder ``checkpoints``. What it does not tell
is called unknown, and counts as research-only.
"""

import re
from pathlib import Path
from typing import NamedTuple

from hotpath.runtime.errors import HotpathError
from hotpath.runtime.networks import load_network, names, sha256_of
from hotpath_research.train.loop import read_log

LOG = "log.jsonl"  # of a run
UNKNOWN = {"R": 0}  # the licences of a checkpoint without a log beside it, see sources.csv
UNSETTLED = "not settled"
FREE = "Apache-2.0: our training saw only free pictures"  # what a free licence begins with
FREE_CLASSES = {"A", "B"}  # of sources.csv
FREE_LICENCES = ("Apache-2.0", "MIT", "BSD", "CC0", "CC BY 4.0")  # what a teacher's begins with
MOST_SOURCES = 4  # that a TOML names


class Origin(NamedTuple):
    """What weights were made from.

    Attributes:
        teacher: name of the network that it learnt from; "" if unknown.
        teacher_licence: of that network.
        starts: what the first weights came from, if not from the teacher.
        pictures: how many it saw.
        sources: dict of a folder or clip -> pictures of it.
        licences: dict of a licence class -> pictures; ``UNKNOWN`` if no log tells.
        commit: of the code that trained.
    """

    teacher: str = ""
    teacher_licence: str = ""
    starts: tuple[str, ...] = ()
    pictures: int = 0
    sources: dict[str, int] = {}
    licences: dict[str, int] = UNKNOWN
    commit: str = ""

    @property
    def licence(self) -> str:
        """The licence for the TOML: free if log and teacher allow it."""
        if not set(self.licences) <= FREE_CLASSES:
            return f"{UNSETTLED}: trained on research-only pictures, see docs/training.md"
        if not self.teacher:
            return f"{UNSETTLED}: its teacher is unknown"
        if not self.teacher_licence.startswith(FREE_LICENCES):
            return f"{UNSETTLED}: the licence of its teacher {self.teacher} is not"
        return f"{FREE}; its teacher {self.teacher}: {self.teacher_licence}"

    def lines(self) -> list[str]:
        """Sentences for the TOML: the teacher, and the pictures."""
        teacher = self.teacher or "an unknown teacher"
        licence = f" ({self.teacher_licence})" if self.teacher_licence else ""
        begun = f"Begun from {' and '.join(self.starts)}, trained" if self.starts else "Trained"
        most = sorted(self.sources, key=lambda name: -self.sources[name])
        shown = ", ".join(most[:MOST_SOURCES])
        shown += f" and {len(most) - MOST_SOURCES} more" if len(most) > MOST_SOURCES else ""
        classes = ", ".join(f"{name} {count:,}" for name, count in sorted(self.licences.items()))
        pictures = f"{self.pictures:,} pictures of {shown}" if most else "Unknown pictures"
        return [
            f"{begun} on the features and maps of {teacher}{licence}.",
            f"{pictures}; by licence class: {classes}.",
        ]


def folder_of(checkpoint: str | Path) -> Path:
    """The folder of the run that a checkpoint is of."""
    folder = Path(checkpoint).resolve().parent
    return folder.parent if folder.name == "checkpoints" else folder


def name_of(checkpoint: str | Path) -> str:
    """A name for the network of a checkpoint: that of its run, and never one that ships."""
    name = re.sub(r"\W+", "_", folder_of(checkpoint).name).strip("_") or "network"
    return f"{name}_own" if name in names() else name


def origin_of(*checkpoints: str | Path) -> Origin:
    """Read the logs of the runs that the parts of a network come from."""
    origins = [_origin(Path(checkpoint)) for checkpoint in dict.fromkeys(map(Path, checkpoints))]
    first = origins[0]
    for other in origins[1:]:
        first = first._replace(
            teacher=" and ".join(dict.fromkeys(o.teacher for o in (first, other) if o.teacher)),
            teacher_licence=min(  # the one that is not free, if one is not
                first.teacher_licence,
                other.teacher_licence,
                key=lambda text: text.startswith(FREE_LICENCES),
            ),
            starts=tuple(dict.fromkeys(first.starts + other.starts)),
            pictures=max(first.pictures, other.pictures),
            sources={**other.sources, **first.sources},
            licences={**other.licences, **first.licences},
        )
    return first


def _origin(checkpoint: Path) -> Origin:
    log = folder_of(checkpoint) / LOG
    origin, licences = Origin(), dict[str, int]()
    for entry in read_log(log) if log.is_file() else []:
        event = entry.get("event")
        if event == "started":
            teacher = entry.get("options", {}).get("teacher", "")
            commit = str(entry.get("git") or "")
            origin = origin._replace(teacher=teacher, commit=commit)
        elif event == "teacher":
            origin = origin._replace(teacher=entry["name"], teacher_licence=entry["licence"])
        if event in ("pictures", "start"):
            for name, count in entry.get("licences", UNKNOWN).items():
                licences[name] = max(count, licences.get(name, 0))
        if event == "pictures":
            sources = entry.get("sources", {})
            origin = origin._replace(pictures=entry.get("count", 0), sources=sources)
        elif event == "start":
            what = Path(str(entry.get("what", ""))).name
            origin = origin._replace(starts=tuple(dict.fromkeys((*origin.starts, what))))
    if origin.teacher and not origin.teacher_licence:  # the log of an older version
        origin = origin._replace(teacher_licence=_licence_now(origin.teacher))
    return origin._replace(licences=licences or UNKNOWN)


def _licence_now(network: str) -> str:
    try:
        return str(load_network(network).licence)
    except HotpathError:
        return f"{UNSETTLED}: unknown"


def marked(checkpoint: str | Path, commit: str = "") -> str:
    """The sentence that names a checkpoint by its hash."""
    text = f"Exported from {folder_of(checkpoint).name}/{Path(checkpoint).name}"
    text += f", sha256 {sha256_of(Path(checkpoint))}"
    return text + (f", trained at commit {commit}." if commit else ".")
