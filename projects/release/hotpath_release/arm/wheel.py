"""Track with a wheel for 64-bit ARM, as pip installs it, and with the checkout: the same boxes.

python -m hotpath_release.arm.wheel out/release/*aarch64.whl CLIP X,Y,W,H
"""

import pathlib
import subprocess
import sys
import tempfile

from hotpath.calib.command_line import parser
from hotpath_release.arm.machine import ArmMachine, exit_code

FRAMES = 12  # the emulation takes a second for each
TRY = (
    "import sys; sys.path.insert(0, {!r}); "
    "from hotpath.app.track_command import main; sys.exit(main(sys.argv[1:]))"
)
# the kernels are those of the wheel, not compiled there
WHICH = (
    "import sys; sys.path.insert(0, {!r}); from hotpath.kernels.cpu import build; "
    "sys.exit('levels' not in build.library().path)"
)


def main():
    cli = parser("hotpath_release.arm.wheel", __doc__)
    for name in ("wheel", "clip", "box"):
        cli.add_argument(name)
    options = cli.parse_args()
    machine = ArmMachine("aarch64")
    core = machine.cores[0]
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "-q"]
        pip += ["--no-deps", "--only-binary", ":all:", "--platform", "manylinux2014_aarch64"]
        subprocess.run([*pip, "--target", folder, options.wheel], check=True)
        given = ["--video", options.clip, "--box", options.box, "--frames", FRAMES]
        given += ["--engine", "onnxruntime", "--precision", "fp32", "--quiet", "--results"]
        rows = []
        for place in (folder, ""):  # the wheel; the checkout, which is the folder there
            out = pathlib.Path(folder, ("wheel" if place else "checkout") + ".csv")
            code = TRY.format(place)
            machine.run(core, ["-c", code, *given, out], check=True)
            rows.append(out.read_text().splitlines())
        machine.run(core, ["-c", WHICH.format(folder)], check=True)
        if rows[0] != rows[1] or len(rows[0]) <= FRAMES:
            print(f"the boxes of {options.wheel} differ from those of the checkout")
            return 1
    print(f"{options.wheel}: {len(rows[0]) - 1} boxes as those of the checkout")
    return 0


if __name__ == "__main__":
    sys.exit(exit_code("wheel", main))
