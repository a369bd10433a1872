"""python -m hotpath_release.jetson: a frame on each Jetson, estimated, for docs/results."""

from typing import Tuple

from hotpath.graphs.counting import count_parts
from hotpath.runtime.networks import load_network

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
# Kernels of a frame of kestrel after fusion, as OpenVINO runs them.
KERNELS = 43
# Microseconds of a kernel beside its arithmetic: from none to what DenseNet-121 takes beyond its
# arithmetic at ResNet-50's rate, over some 250 kernels on an AGX Xavier.
KERNEL_US = 43
# Milliseconds of a frame beside the network, without the camera: crop, select (.02 by
# projects/nogpu/nogpu_tests/cuda/budget.toml), copies, launches, and the processor. Assumed.
BESIDE_MS = (0.1, 0.8)

Span = Tuple[float, float]  # least, most


def network_ms(giga: float, kernels: int, slow: float, fast: float) -> Span:
    """(least, most) milliseconds of a network of so many 10^9 multiply-accumulates."""
    return 1e3 * giga / fast, 1e3 * giga / slow + kernels * KERNEL_US / 1e3


def text(times: Span, more: Span = (0.0, 0.0)) -> str:
    """A range of milliseconds, with another one added."""
    return f"{times[0] + more[0]:.2f} to {times[1] + more[1]:.1f}"


def main() -> None:
    """Print the page's answer and the first columns of its tables."""
    net = load_network("kestrel")
    frame = count_parts(net, net.locate())["a frame"]
    giga = frame.macs / 1e9
    print(f"`kestrel` in FP16: {1e3 * giga:.0f} million multiply-accumulates, {KERNELS} kernels.")
    all_ms = [network_ms(giga, KERNELS, *rate[:2]) for rate in RATES.values()]
    whole = text((min(ms[0] for ms in all_ms), max(ms[1] for ms in all_ms)), BESIDE_MS)
    print(f"For a frame of `kestrel` we estimate {whole} ms, depending on the Jetson.")
    for board, (slow, fast, source) in RATES.items():
        alone = network_ms(giga, KERNELS, slow, fast)
        twice = 2 * alone[0], 2 * alone[1]
        frames = f"{text(alone, BESIDE_MS)} | {text(twice, BESIDE_MS)}"
        print(f"| `{board}` | {text(alone)} | {frames} | {source} |")
    light = network_ms(0.53, 250, *RATES["jetson_orin_nano"][:2])
    print(f"250 kernels (Track-trt) | {text(light, BESIDE_MS)} |")
    print(f"23 kernels (torch2trt) | {text(network_ms(1.81, 23, *RATES['jetson_nano'][:2]))} |")
    print(f"the other three networks | {text(network_ms(1.81, 23, 81, 137))} |")


if __name__ == "__main__":
    main()
