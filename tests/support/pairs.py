"""Call each pair of an object's public methods from two threads, in a process of its own.

    python -m tests.support.pairs MODULE KIND WORDS

A library that two threads enter at once often ends its process.
"""

import faulthandler
import importlib
import itertools
import os
import subprocess
import sys
import threading
import time
from typing import Any, Callable, Dict, NamedTuple, Tuple

import numpy as np

from hotpath.runtime.errors import HotpathError
from hotpath.runtime.types import Box, Track
from hotpath.video.base import TrackedFrame
from tests.support import ROOT

HANGS_S = 30.0  # after which a pair counts as one that hangs


class Kind(NamedTuple):
    """A kind of objects.

    Attributes:
        open: function that gives such an object; or the same one again, if it has no ``close``.
        calls: public method -> function of the object and the number of the call.
        besides: public names that no two threads call, such as what another class calls.
        check: function of the object and the pair, afterwards; raises where a result is wrong.
        is_allowed: function of two names: whether two threads may call them at once.
        times: that each thread calls its method.
    """

    open: Callable[[], Any]
    calls: Dict[str, Callable[[Any, int], Any]]
    besides: Tuple[str, ...] = ()
    check: Callable[[Any, Tuple[str, str]], None] = lambda thing, pair: None
    is_allowed: Callable[[str, str], bool] = lambda one, other: True
    times: int = 15


def tracked(number):
    """A frame of now, with a target in every second one."""
    track = Track(Box(10.0, 12.0, 20.0, 16.0), 0.9)
    tracks = {0: track} if number % 2 else {}
    return TrackedFrame(np.zeros((48, 64, 3), np.uint8), number, None, tracks, time.monotonic())


def link_calls():
    """The calls of a link: those of the frame loop, and of a thread that ends the run."""
    return {
        "write": lambda link, n: link.write(tracked(n)),
        "lines": lambda link, n: link.lines(),
        "check": lambda link, n: link.check(),
        "close": lambda link, n: link.close(),
    }


def public(kind):
    """The names of the public methods and properties of a class."""
    return {
        name
        for base in kind.__mro__
        if base.__module__.startswith(("hotpath", "hotpath_"))
        for name, value in vars(base).items()
        if name[0] != "_" and (callable(value) or isinstance(value, property))
    }


def walk(kind):
    """The mistakes of a kind: (pair, what went wrong)."""
    wrong = []
    thing = kind.open()
    unnamed = public(type(thing)) ^ {*kind.calls, *kind.besides}
    if unnamed:
        wrong.append(("not called, or no such name", sorted(unnamed)))
    close = kind.calls.get("close", lambda thing, n: None)
    close(thing, 0)
    pairs = itertools.combinations_with_replacement(kind.calls, 2)
    for pair in [pair for pair in pairs if kind.is_allowed(*pair)]:
        print(*pair, flush=True)
        faulthandler.dump_traceback_later(HANGS_S, exit=True)
        thing, start = kind.open(), threading.Barrier(2)

        def call(name, thing=thing, start=start, closes="close" in pair):
            start.wait()
            for n in range(kind.times):
                try:
                    kind.calls[name](thing, n)
                except Exception as error:
                    is_told = isinstance(error, HotpathError) and "is closed" in str(error)
                    if not (closes and is_told):
                        wrong.append((name, repr(error)))

        threads = [threading.Thread(target=call, args=(name,)) for name in pair]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        try:
            close(thing, 0)
            kind.check(thing, pair)
        except Exception as error:
            wrong.append((pair, repr(error)))
    faulthandler.cancel_dump_traceback_later()
    return wrong


def assert_takes_turns(module, kind, *words, **environment):
    """Walk a kind in a new process.

    Args:
        module: name of the module of the test.
        kind: name of its function that returns a ``Kind``.
        words: arguments of the function, texts.
        environment: more variables of the process.
    """
    paths = os.pathsep.join(filter(None, sys.path))
    ran = subprocess.run(
        [sys.executable, "-m", "tests.support.pairs", module, kind, *words],
        cwd=str(ROOT),
        env=dict(os.environ, PYTHONPATH=paths, **environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    last = ran.stdout.decode().splitlines()[-1:]
    assert ran.returncode == 0, (last, ran.returncode, ran.stderr.decode())


def main(module, kind, *words):
    """Walk a kind; returns the exit code."""
    sys.setswitchinterval(1e-5)
    faulthandler.enable()
    wrong = walk(getattr(importlib.import_module(module), kind)(*words))
    print(*sorted(set(map(repr, wrong))), sep="\n", file=sys.stderr)
    sys.stderr.flush()
    os._exit(bool(wrong))  # threads of libraries may still run


if __name__ == "__main__":
    main(*sys.argv[1:])
