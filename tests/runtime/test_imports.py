"""What a program loads: `import runtime` is light; a processor runs no code of GPU or FPGA."""

import sys

from tests.support import ROOT, run, tiny

PRINT = "\nprint(' '.join(name for name in sys.modules))"
OURS = ("runtime", "kernels", "boards", "calib")


def loaded_by(code):
    """Names of the modules that a fresh process has loaded after some lines."""
    words = [sys.executable, "-c", "import sys\n" + code + PRINT]
    done = run(words, cwd=str(ROOT), check=True, timeout=120)
    return done.stdout.splitlines()[-1].split()


def of_devices_and_links(names):
    avoided = ("kernels.cuda", "kernels.fpga", "runtime.links")
    return [name for name in names if name.startswith(avoided)]


def test_the_package_is_light():
    names = loaded_by("import runtime")
    assert of_devices_and_links(names) == []
    assert not {"cv2", "onnx", "onnxruntime", "openvino"}.intersection(names)
    assert len([name for name in names if name.split(".")[0] in OURS]) <= 18


def test_a_run_on_a_processor_loads_nothing_of_a_gpu_an_fpga_or_a_link(tmp_path):
    toml = tiny.write_network(tmp_path)
    names = loaded_by(
        "import numpy, runtime\n"
        f"tracker = runtime.load_tracker({str(toml)!r})\n"
        "frame = numpy.full((240, 320, 3), 90, numpy.uint8)\n"
        "tracker.init(frame, (100, 100, 40, 30))\n"
        "tracker.update(frame)"
    )
    assert of_devices_and_links(names) == []
    assert "runtime.tracker" in names
