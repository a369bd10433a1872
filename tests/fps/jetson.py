"""Estimates what a frame takes on each Jetson, as ranges: ``python -m tests.fps.jetson``.

No board was measured. A network needs a time for its multiply-accumulates and one for each kernel.
Published measurements of other networks leave a range of both. Prints docs/results/jetson.md.
"""

from runtime.graphs.counting import count_parts
from runtime.networks import load_network

# 10^9 multiply-accumulates a second, FP16, batch 1: slowest and fastest. Nano and AGX Xavier: of
# SqueezeNet 1.1, DenseNet-121, ResNet-50 and ResNet-18 in torch2trt's benchmarks. Orin Nano 8 GB:
# from OSTrack-256 (21.5 G) in 30 ms, l-sf/Track-trt, to half of the peak of 5,000 at 625 MHz, which
# is assumed. The others: times the ratio of cores and clocks.
RATES = {
    "jetson_nano": (81, 159, "torch2trt, benchmarks/JETSON_NANO.md"),
    "jetson_tx2": (228, 448, "2.82 times Nano: 256 cores, 1.30 GHz"),
    "jetson_xavier_nx": (208, 733, ".604 times AGX Xavier: 384 cores, 1.109 GHz"),
    "jetson_agx_xavier": (344, 1214, "torch2trt, docs/benchmarks/jetson_xavier.md"),
    "jetson_orin_nano": (717, 2500, "l-sf/Track-trt; half of the peak"),
    "jetson_orin_nx": (1345, 4690, "1.88 times Orin Nano: 1.173 GHz"),
    "jetson_agx_orin": (2980, 10400, "4.16 times Orin Nano: twice the cores, 1.3 GHz"),
}
# Microseconds of a kernel beside its arithmetic: from none to what DenseNet-121 takes beyond its
# arithmetic at ResNet-50's rate, over some 250 kernels on an AGX Xavier.
KERNEL_US = 43
# Milliseconds of a frame beside the network, without the camera: crop, select (.02 by
# tests/kernels/cuda/budget.toml), copies, launches, and the processor. Assumed.
BESIDE_MS = (0.1, 0.8)
HEAD = """`python -m tests.fps.jetson`

**Estimates of today's network: no Jetson was measured.**

# What a frame may take on a Jetson

A network takes its multiply-accumulates at a rate, and up to {kernel} microseconds more for each
kernel. Published measurements of other networks give both ranges. A frame takes {beside} ms more:
crop, select, copies and the processor's part, which is assumed. The search runs the network once
more in a frame, where the target is lost. The lower ends leave out all launches. For a Thor there
is no published measurement to start from.

`kestrel` in FP16: {macs:.0f} million multiply-accumulates, {kernels} kernels.

| board | network alone, ms | whole frame, ms | frame with the search, ms | rate from |
|---|--:|--:|--:|---|"""
CHECKS = """
## Against published measurements

| measured | estimate, ms | published, ms |
|---|--:|--:|
| LightTrack, FP16, whole frame, Orin Nano: .53 G, some 250 kernels (Track-trt) | {light} | 10 |
| ResNet-18, FP16, alone, Nano: 1.81 G, 23 kernels (torch2trt) | {resnet} | 11.4 |
| the same with a rate from the other three networks | {without} | 11.4 |

ResNet-18 is itself one of the four networks behind the Nano's rate. From the other three alone, the
published time lies below the range: the lower ends are uncertain by 14 % at least. LightTrack lies
near the upper end: small networks wait for launches, not for arithmetic, so the upper ends are the
likelier ones where a frame is not one CUDA graph. The ranges are too wide to say that a frame runs
at the speed of the network alone. `python3 -m boards bringup` on a board measures both.
"""


def network_ms(giga, kernels, slow, fast):
    """(least, most) milliseconds of a network of so many 10^9 multiply-accumulates."""
    return 1e3 * giga / fast, 1e3 * giga / slow + kernels * KERNEL_US / 1e3


def text(times, more=(0.0, 0.0)):
    """A range of milliseconds, with another one added."""
    return f"{times[0] + more[0]:.2f} to {times[1] + more[1]:.1f}"


def main():
    """Print the page."""
    net = load_network("kestrel")
    frame = count_parts(net, net.locate())["a frame"]
    kernels = sum(frame.operators[name] for name in ("Conv", "MatMul", "Add", "Exp", "Concat"))
    beside, giga = f"{BESIDE_MS[0]} to {BESIDE_MS[1]}", frame.macs / 1e9
    print(HEAD.format(kernel=KERNEL_US, beside=beside, macs=1e3 * giga, kernels=kernels))
    for board, (slow, fast, source) in RATES.items():
        alone = network_ms(giga, kernels, slow, fast)
        twice = 2 * alone[0], 2 * alone[1]
        frames = f"{text(alone, BESIDE_MS)} | {text(twice, BESIDE_MS)}"
        print(f"| `{board}` | {text(alone)} | {frames} | {source} |")
    light = network_ms(0.53, 250, *RATES["jetson_orin_nano"][:2])
    resnet = network_ms(1.81, 23, *RATES["jetson_nano"][:2])
    without = network_ms(1.81, 23, 81, 137)
    ranges = {"light": text(light, BESIDE_MS), "resnet": text(resnet), "without": text(without)}
    print(CHECKS.format(**ranges), end="")


if __name__ == "__main__":
    main()
