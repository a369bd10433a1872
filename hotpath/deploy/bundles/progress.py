"""Tell the user how far a long build is."""

import sys
import threading
import time
from typing import Any, Callable, Dict, Optional

HEARTBEAT_S = 10


def say(sentence: str) -> None:
    """Print a sentence of progress on the error output."""
    print(sentence, file=sys.stderr, flush=True)


class Heartbeat:
    """Says every few seconds that a build goes on, with its phase where TensorRT tells it.

    Args:
        what: the name of what is built.
        say: function of one sentence.
        trt: the ``tensorrt`` module.
        config: the builder's configuration.
    """

    def __init__(self, what: str, say: Callable[[str], None], trt: Any, config: Any) -> None:
        self._what = what
        self._say = say
        self._phase = ""
        self._started = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        if hasattr(config, "progress_monitor"):  # from TensorRT 10 on
            self._monitor = self._make_monitor(trt)
            config.progress_monitor = self._monitor

    def __enter__(self) -> "Heartbeat":
        self._started = time.monotonic()
        self._say(f"building {self._what} (some seconds on a computer, minutes on a Nano)")
        self._thread.start()
        return self

    def __exit__(self, kind: Optional[type], *_: object) -> None:
        self._ended.set()
        self._thread.join()
        if kind is None:
            self._say(f"built {self._what} in {self._seconds():.0f} s")

    def _seconds(self) -> float:
        return time.monotonic() - self._started

    def _beat(self) -> None:
        while not self._ended.wait(HEARTBEAT_S):
            self._say(f"  {self._what}: {self._seconds():.0f} s {self._phase}".rstrip())

    def _make_monitor(self, trt: Any) -> Any:
        beat = self

        class Monitor(trt.IProgressMonitor):
            def __init__(self) -> None:
                trt.IProgressMonitor.__init__(self)
                self._steps: Dict[str, int] = {}

            def phase_start(self, phase_name: str, parent_phase: str, num_steps: int) -> None:
                self._steps[phase_name] = max(1, num_steps)

            def step_complete(self, phase_name: str, step: int) -> bool:
                done = 100 * (step + 1) // self._steps.get(phase_name, 1)
                beat._phase = f"{phase_name} {min(done, 100)} %"
                return True

            def phase_finish(self, phase_name: str) -> None:
                beat._phase = ""

        return Monitor()
