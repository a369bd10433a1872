"""``--lock``: set the fastest power mode and hold the clocks during a run, then undo both."""

import os
import shutil
import subprocess
import tempfile

from runtime.errors import HotpathError
from tests.support import run


class CannotLock(HotpathError):
    """Clocks can't be held here: there is no tool for it, or it is not allowed."""


class Lock:
    """Sets mode and clocks on entering, sets them back on leaving."""

    def __init__(self, place, wanted, run=None):
        self._place, self._wanted = place, wanted
        self._run = run or _run
        self._undo, self._folder = [], None
        self.changed = []

    def __enter__(self):
        if not self._wanted:
            return self
        try:
            self._set_mode()
            self._hold_clocks()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for command in reversed(self._undo):
            try:
                self._run(command)
            except CannotLock as error:
                print(f"tests.fps: not set back: {error}")
        self._undo = []
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _set_mode(self):
        telemetry = self._place.telemetry
        now, fastest = telemetry.power_mode(), telemetry.fastest_power_mode()
        if not now or not fastest or now.id == fastest.id:
            return
        self._run(["nvpmodel", "-m", str(fastest.id)])
        self._undo.append(["nvpmodel", "-m", str(now.id)])
        self.changed.append(f"power mode {fastest.name} instead of {now.name or now.id}")

    def _hold_clocks(self):
        if self._place.telemetry.locked().get("gpu"):
            return
        self._folder = tempfile.mkdtemp(prefix="hotpath-fps-")
        kept = os.path.join(self._folder, "clocks")
        self._run(["jetson_clocks", "--store", kept])
        self._undo.append(["jetson_clocks", "--restore", kept])
        self._run(["jetson_clocks"])
        self.changed.append("clocks held by jetson_clocks")


def _run(command):
    if shutil.which(command[0]) is None:
        raise CannotLock(f"{command[0]} is not here, so nothing can be locked; leave --lock away")
    words = command if os.geteuid() == 0 else ["sudo", "-n"] + command
    done = run(words, stderr=subprocess.STDOUT)
    if done.returncode:
        raise CannotLock(
            "`{}` fails: {}; run as root, or leave --lock away".format(
                " ".join(words), (done.stdout.strip().splitlines() or ["no message"])[-1]
            )
        )
