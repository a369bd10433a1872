"""python -m tests.fps.power: measure on this computer how reliable the verdicts are.

    python -m tests.fps.power same --pairs 20            the same commit twice
    python -m tests.fps.power slower --percent 5 --pairs 10     crop made slower, in a second tree
    python -m tests.fps.power loaded --pairs 3           while processes burn the cores
    python -m tests.fps.power sampling                   what reading the sensors costs

Each pair is a whole ``--against`` run. Give it a quiet computer, or the results say little.
"""

import argparse
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

from runtime import DEFAULT_NETWORK
from tests.fps import against, clips, compare, run, stats
from tests.fps import place as places
from tests.fps.loop import Loop
from tests.fps.sampler import Sampler, Silent

BURN = "while True: pass"
STEP = "        crop(frame, window, self.border)\n"
SLOWER = """        _until = time.perf_counter() + {seconds!r}
        while time.perf_counter() < _until:
            pass
"""


def main(arguments=None):
    """Run the command line and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fps.power",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", choices=("same", "slower", "loaded", "sampling"))
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--percent", type=float, default=5.0, help="of the frame's time")
    parser.add_argument("--network", default=DEFAULT_NETWORK)
    parser.add_argument("--networks-dir", default=os.environ.get("NETWORKS_DIR"))
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--frames", type=int, default=200)
    options = parser.parse_args(arguments)
    if options.what == "sampling":
        return sampling(options)
    with contextlib.ExitStack() as stack:
        tree = places.CHECKOUT
        if options.what == "slower":
            tree = stack.enter_context(slowed(options))
        if options.what == "loaded":
            stack.enter_context(burning(os.cpu_count()))
        words = [one_pair(options, tree, number) for number in range(options.pairs)]
    for word in sorted(set(words)):
        print(f"{word}: {words.count(word)} of {len(words)}")
    return 0


def settings_of(options):
    """Return the settings of a pair of runs."""
    return run.Settings(
        networks=[options.network],
        clips=[clips.film(options.frames + 1)],
        frames=options.frames,
        rounds=options.rounds,
        networks_dir=options.networks_dir,
    )


def one_pair(options, tree, number):
    """Time this checkout and ``tree`` in turns. Return the decision, or "invalid"."""
    with tempfile.TemporaryDirectory(prefix="hotpath-power-") as folder:
        pair = against.measure(
            settings_of(options),
            places.Place(),
            (places.CHECKOUT, tree),
            ((None, None),) * 2,
            lambda side: pathlib.Path(folder) / (side + ".json"),
            say=lambda text: None,
        )
    invalid = [
        e["verdict"]["reasons"][0]["text"] for e in pair if e["verdict"]["state"] == "invalid"
    ]
    if invalid:
        print(f"{number:3} invalid: {invalid[0]}", flush=True)
        return "invalid"
    ((name, found),) = compare.compare(*pair)
    print(f"{number:3} {compare.sentence(name, found)}", flush=True)
    return found.decision


@contextlib.contextmanager
def slowed(options):
    """A copy of this checkout whose crop takes ``--percent`` of the frame longer."""
    tracker, _ = run.open_case(
        run.Case(options.network, "fp32", "auto"), settings_of(options), clips.film(12)
    )
    film = clips.film(101)
    loop = Loop(tracker, film.frames, film.box)
    loop.run(100)
    median = stats.figures(loop.run(200)[0]["total"])["median"]
    seconds = median * options.percent / 100 / 1e3
    print(f"a frame takes {median:.3f} ms; the crop is made {seconds * 1e6:.1f} us slower")
    with tempfile.TemporaryDirectory(prefix="hotpath-power-") as folder:
        for name in ("runtime", "kernels", "boards"):
            shutil.copytree(os.path.join(places.CHECKOUT, name), os.path.join(folder, name))
        path = pathlib.Path(folder, "runtime", "devices", "processor.py")
        text = path.read_text(encoding="utf-8")
        if STEP not in text:
            sys.exit(
                "tests.fps.power: runtime/devices/processor.py has no line that is slowed down here"
            )
        path.write_text(text.replace(STEP, STEP + SLOWER.format(seconds=seconds)), encoding="utf-8")
        yield folder


@contextlib.contextmanager
def burning(count):
    """Run so many processes that use all the processor time they get."""
    burners = [subprocess.Popen([sys.executable, "-c", BURN]) for _ in range(count)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def sampling(options):
    """Time blocks in turns: with sensors read ten times as often as in a run, and without."""
    settings = settings_of(options)
    tracker, _ = run.open_case(
        run.Case(options.network, "fp32", "auto"), settings, settings.clips[0]
    )
    loop = Loop(tracker, settings.clips[0].frames, settings.clips[0].box)
    loop.run(200)
    samplers = (Silent(), Sampler(places.Place().telemetry, 0.1))
    rounds = ([], [])
    for _ in range(options.rounds):
        ms = ([], [])
        for block in range(options.frames // against.BLOCK):
            for side in (0, 1) if block % 2 else (1, 0):
                ms[side].extend(loop.run(against.BLOCK, samplers[side].tick)[0]["total"])
        for side in (0, 1):
            rounds[side].append(ms[side])
    found = stats.compare(*rounds, paired=True)
    print(
        "{} samples in {} frames: {}".format(
            len(samplers[1].samples),
            options.rounds * options.frames,
            compare.sentence("sampling on against off", found),
        )
    )
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the burning processes end too
    sys.exit(main())
