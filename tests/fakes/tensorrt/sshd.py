"""A board behind a real ssh server."""

import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time

import pytest

from tests.support.needs import needs_program
from tests.support.ports import free_port

ROOT = pathlib.Path(__file__).resolve().parents[3]


class Sshd:
    """A real sshd on loopback that plays a Nano with a fake TensorRT; ``folder``: of its files."""

    def __init__(self, folder):
        self.folder = folder
        program = shutil.which("sshd", path="/usr/sbin:" + os.environ.get("PATH", ""))
        if not program:
            needs_program("sshd")
        needs_program("ssh", "ssh-keygen")
        self.temporary = folder / "tmp"
        for name in ("bin", "tmp", "home", "fakes"):
            (folder / name).mkdir()
        # the tests alone: the product must come over ssh
        (folder / "fakes" / "tests").symlink_to(ROOT / "tests")
        for name in ("host_key", "key"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
            subprocess.check_call(command, stdin=subprocess.DEVNULL)
        self.break_off("")
        self.port = free_port(socket.SOCK_STREAM)
        libraries = os.pathsep.join(path for path in sys.path if path and path != str(ROOT))
        path = "{}:{}".format(folder / "bin", os.environ.get("PATH", "/usr/bin:/bin"))
        (folder / "config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder / 'host_key'}\n"
            f"AuthorizedKeysFile {folder / 'key.pub'}\nPidFile none\n"
            "PasswordAuthentication no\nUsePAM no\nStrictModes no\n"
            f"SetEnv PATH={path} HOME={folder / 'home'} TMPDIR={self.temporary} "
            f"PYTHONPATH={libraries}\n"
        )
        if os.getuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)  # sshd's folder for privilege separation
        self.log = open(str(folder / "log"), "w")
        self.process = subprocess.Popen(
            [program, "-D", "-e", "-f", str(folder / "config")], stderr=self.log
        )
        self._wait()

    @property
    def ssh(self):
        """The ssh command with the options that reach this server."""
        return (
            f"ssh -p {self.port} -i {self.folder / 'key'} -o BatchMode=yes "
            "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR "
            "-o IdentitiesOnly=yes -F none"
        )

    def break_off(self, before):
        """From now on, the board's python3 runs this shell command before Python."""
        path = self.folder / "bin" / "python3"
        path.write_text(
            f"#!/bin/sh\n{before}\n"
            f'export PYTHONPATH="$PWD:{self.folder / "fakes"}:$PYTHONPATH"\n'
            f'exec {sys.executable} -m tests.fakes.tensorrt.machine 8.2 "$@"\n'
        )
        path.chmod(0o755)

    def _wait(self):
        for _ in range(100):
            if self.process.poll() is not None:
                self.log.flush()
                pytest.skip("sshd does not run here: " + (self.folder / "log").read_text()[-300:])
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError("sshd does not listen")

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()
