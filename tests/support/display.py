"""A display without a screen (Xvfb), and keys and a mouse for the windows on it (xdotool)."""

import contextlib
import os
import subprocess
import time

from tests.support.needs import why_no_program


def why_none():
    """Why no display is available here, or ""."""
    return why_no_program("Xvfb", "xdotool")


class Display:
    """One virtual display."""

    def __init__(self, name, server):
        self.server = server
        self.environment = dict(os.environ, DISPLAY=name)

    def tool(self, *words):
        """Run xdotool; returns whether it succeeded."""
        command = ["timeout", "10", "xdotool"] + [str(word) for word in words]
        return subprocess.call(command, env=self.environment, stderr=subprocess.DEVNULL) == 0

    def press(self, title, key, limit_s=30):
        """Wait for the window of that title, and press a key in it."""
        deadline = time.monotonic() + limit_s
        while not self.tool("search", "--name", title, "windowfocus"):
            assert time.monotonic() < deadline, "there is no window " + title
            time.sleep(0.1)
        self.tool("key", key)  # the key may close the window; xdotool then reports an error

    def click(self, place):
        """Click at a point of the screen."""
        self.tool("mousemove", *place)
        self.tool("click", 1)

    def drag(self, start, end):
        """Drag the mouse between two points of the screen."""
        self.tool("mousemove", *start)
        self.tool("mousedown", 1)
        self.tool("mousemove", (start[0] + end[0]) // 2, (start[1] + end[1]) // 2)
        self.tool("mousemove", *end)
        self.tool("mouseup", 1)


@contextlib.contextmanager
def display():
    """Run Xvfb as long as the ``with`` block runs."""
    read_end, write_end = os.pipe()
    command = ["Xvfb", "-noreset", "-displayfd", str(write_end)]
    server = subprocess.Popen(command, pass_fds=[write_end], stderr=subprocess.DEVNULL)
    try:
        yield Display(":" + os.read(read_end, 16).decode("ascii").strip(), server)
    finally:
        server.kill()
        server.wait()
        os.close(read_end)
        os.close(write_end)
