"""Finish the work of a run when a C library ends the process.

Qt and Xlib call ``exit`` when the X server goes away. Python's own ``atexit`` functions do not run
then, so that files would stay unfinished.
"""

import atexit
import ctypes
import os
import sys
from typing import Any, Callable, List

EXIT_CODE = 2
FUNCTION = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class SuddenEnd:
    """Calls a function when C code ends this process by ``exit``; the exit code is then 2.

    The function runs in the thread that called ``exit``. Nothing is called at the regular end of a
    Python program, after ``cancel``, and on systems without glibc.

    Args:
        function: called once, without arguments.
    """

    def __init__(self, function: Callable[[], None]) -> None:
        self._functions: List[Callable[[], None]] = [function]
        self._process = os.getpid()
        self._c: Any = None
        if not sys.platform.startswith("linux"):
            return
        library = ctypes.CDLL(None)
        if not hasattr(library, "gnu_get_libc_version"):  # others can't cancel it
            return
        self._c, self._called = library, FUNCTION(self._call)
        # its address tells this registration from all others
        self._handle = ctypes.c_void_p(ctypes.cast(self._called, ctypes.c_void_p).value)
        library["__cxa_atexit"](self._called, None, self._handle)
        atexit.register(self.cancel)

    def cancel(self) -> None:
        """Call nothing any more; may be called twice."""
        self._functions.clear()
        if self._c is not None:
            self._c["__cxa_finalize"](self._handle)  # forgets the registration, by calling it
            self._c = None
            atexit.unregister(self.cancel)

    def _call(self, _: object) -> None:
        if not self._functions or os.getpid() != self._process:
            return
        function = self._functions.pop()
        try:
            function()
        finally:
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:
                    stream.flush()
            os._exit(EXIT_CODE)
