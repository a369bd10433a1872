"""Disks that are small."""

import contextlib
import subprocess

from tests.support.needs import needs_program, skip


@contextlib.contextmanager
def small_disk(folder, kilobytes):
    """A tmpfs of that size at ``folder``; the test is skipped where mounting is not allowed."""
    folder.mkdir()
    options = f"size={kilobytes}k"
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    needs_program("mount")
    done = subprocess.run(mount, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if done.returncode:
        skip("right to mount a small disk", "make test as root, outside a container")
    try:
        yield folder
    finally:
        subprocess.check_call(["umount", str(folder)])
