"""Count the instructions of the host's hot path with callgrind, which repeats exactly."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from hotpath.boards.fps.processes import run
from hotpath.kernels.cpu import build
from hotpath.runtime.errors import HotpathError

HERE = pathlib.Path(__file__).resolve().parent
BUDGETS = HERE / "counters.json"
CPU = pathlib.Path("/proc/cpuinfo")
JOBS = ("crop-float", "crop-border", "crop-bytes", "select-softmax", "select-sigmoid")
# valgrind knows AVX2 but not AVX-512, and -march=native would not be the same everywhere
INSTRUCTIONS = {"x86_64": "x86-64-v3", "aarch64": "armv8-a"}
UPDATE = "`python -m hotpath.boards.fps counters --update`"
SLACK = 0.01  # a count that is lower than its budget by this share wants a new budget


class CannotCount(HotpathError):
    """No valgrind, no compiler, or a processor without the instructions that are counted."""


def main(options):
    key, counts = count()
    budgets = read()
    if options.update:
        budgets[key] = counts
        BUDGETS.write_text(json.dumps(budgets, indent=1, sort_keys=True) + "\n")
    print(key)
    for job, instructions in counts.items():
        allowed = budgets.get(key, {}).get(job)
        told = "no budget" if allowed is None else f"of {allowed:,}"
        print(f"{job:<16} {instructions:>12,} {told:>14}")
    mistakes = over(counts, budgets.get(key, {}))
    for mistake in mistakes:
        print(mistake)
    return 1 if mistakes else 0


def read():
    """The budgets: dict of compiler and its set of instructions -> dict of job -> instructions."""
    return json.loads(BUDGETS.read_text())


def over(counts, budget):
    """Return sentences about counts above their budget or far below it."""
    mistakes = []
    for job, instructions in counts.items():
        allowed = budget.get(job)
        if allowed is None:
            continue
        if instructions > allowed:
            mistakes.append(
                f"{job}: {instructions:,} instructions, {instructions / float(allowed) - 1:+.1%} "
                f"of its budget; make it faster, or say why not and run {UPDATE}"
            )
        elif instructions < (1 - SLACK) * allowed:
            mistakes.append(
                f"{job}: {instructions:,} instructions, far below its budget of {allowed:,}; keep "
                f"that with {UPDATE}"
            )
    return mistakes


def count():
    compiler, valgrind = shutil.which("g++"), shutil.which("valgrind")
    if not compiler or not valgrind:
        raise CannotCount("g++ and valgrind are needed; run `sudo apt-get install g++ valgrind`")
    machine = os.uname().machine
    instructions = INSTRUCTIONS.get(machine)
    if instructions is None or (machine == "x86_64" and "avx2" not in CPU.read_text()):
        raise CannotCount("this processor lacks the instructions that are counted; take another")
    version = _run([compiler, "-dumpfullversion"]).strip()
    with tempfile.TemporaryDirectory(prefix="hotpath-count-") as folder:
        program = os.path.join(folder, "counted")
        keep = [flag for flag in build.FLAGS if flag != "-shared"]
        keep += ["-march=" + instructions, "-o", program, str(HERE / "counted.cpp")]
        _run([compiler, *keep])
        counts = {job: _instructions(valgrind, program, job, folder) for job in JOBS}
    return f"g++ {version} {machine} {instructions}", counts


def _instructions(valgrind, program, job, folder):
    options = ["--tool=callgrind", "--collect-atstart=no"]
    options.append("--callgrind-out-file=" + os.path.join(folder, "out"))
    told = _run([valgrind, *options, program, job])
    match = re.search(r"Collected : (\d+)", told)
    if not match or not int(match.group(1)):
        raise CannotCount("callgrind counted nothing: " + told[-200:])
    return int(match.group(1))


def _run(command):
    """Return what a program prints on both streams."""
    done = run(command, stderr=subprocess.STDOUT)
    if done.returncode:
        raise CannotCount("`{}` fails: {}".format(" ".join(command[:2]), done.stdout[-300:]))
    return done.stdout
