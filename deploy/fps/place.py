"""The board that a run takes place on: its name, its state and its libraries."""

import platform
from typing import Any, Dict

from hotpath.boards import detect, installed, snapshot
from hotpath.boards.errors import UnknownBoard
from hotpath.boards.files import Recorder, Root
from hotpath.boards.telemetry import Telemetry


class Place:
    """The board under a root."""

    def __init__(self, root: str = "/") -> None:
        self.root = Root(root)
        self._detection = detection = detect.detect(self.root)
        if detection.board is None:
            raise UnknownBoard(
                f"this is a {detection.soc} ({detection.model or 'no model name'}), but it is not "
                f"known which board of {', '.join(detection.candidates)}; run `hotpath boards`"
            )
        self.board = detection.board
        self.telemetry = Telemetry(self.root, self.board)

    def describe(self) -> Dict[str, Any]:
        """Return the evidence's ``board``."""
        return {
            "name": self.board.name,
            "model": self._detection.model,
            "soc": self._detection.soc,
            "release": self._detection.l4t,
            "jetpack": self._detection.jetpack,
            "system": self._detection.system,
            "cpus": self.telemetry.read().get("cpu_online_count"),
        }

    def state(self) -> Dict[str, Any]:
        """Return the state that the evidence keeps as ``before`` and ``after``."""
        recorder = Recorder(self.root.folder)
        telemetry = Telemetry(recorder, detect.detect(recorder).board)
        sample, locked, mode = telemetry.read(), telemetry.locked(), telemetry.power_mode()
        return {
            "power_mode": {"id": mode.id, "name": mode.name} if mode else None,
            "locked": locked,
            "sample": sample,
            "snapshot": snapshot.dumps(recorder.seen),
        }

    def libraries(self) -> Dict[str, str]:
        """Return dict of library -> version."""
        system = installed.look(self.root)
        versions = {name: package.version for name, package in system.packages.items()}
        versions["python"] = platform.python_version()
        if system.cuda:
            versions["cuda"] = system.cuda
        return {name: str(version) for name, version in sorted(versions.items())}
