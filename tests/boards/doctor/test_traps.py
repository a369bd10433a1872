"""Known traps are named with the way out, and only where they are."""

import shutil

from boards import installed
from boards.doctor import traps
from boards.files import Root
from tests.support.board_roots import BoardRoot, situation


def sentences(board, **environ):
    return [trap.sentence for trap in traps.traps(situation(board, **environ))]


def test_a_release_that_nobody_tried_is_named(orin):
    orin.put("etc/nv_tegra_release", "# R34 (release), REVISION: 1.1, GCID: 0, BOARD: t186ref")
    assert orin.detect().family is None
    assert any("L4T 34.1.1 is not among the releases" in sentence for sentence in sentences(orin))


def test_the_numpy_that_crashes_is_named_on_its_processor_alone(nano, tmp_path):
    assert any("Illegal instruction" in sentence for sentence in sentences(nano))
    assert not any("Illegal" in text for text in sentences(nano, OPENBLAS_CORETYPE="ARMV8"))
    nano.drop_packages("numpy-*")
    nano.put_package("numpy-1.19.4", "3.6")
    assert not any("Illegal" in text for text in sentences(nano))
    xavier = BoardRoot("jetson_xavier_nx_jp5", tmp_path / "xavier")
    xavier.drop_packages("numpy-*")
    xavier.put_package("numpy-1.19.5", "3.8")
    assert sentences(xavier) == []


def test_a_tensorrt_that_can_not_build_bundles_is_refused(nano):
    assert not any("can't build bundles" in sentence for sentence in sentences(nano))
    nano.put("etc/nv_tegra_release", "# R32 (release), REVISION: 5.1, GCID: 0, BOARD: t210ref")
    nano.drop_packages("tensorrt-*")
    nano.put_package("tensorrt-7.1.3.0", "3.6")
    caught = [t for t in traps.traps(situation(nano)) if "can't build bundles" in t.sentence]
    assert "TensorRT 7.1.3.0" in caught[0].sentence and "JetPack 4.6" in caught[0].command


def test_orin_without_the_dla_compiler(orin):
    caught = [t for t in traps.traps(situation(orin)) if "libnvdla_compiler" in t.sentence]
    assert "nvidia-l4t-dla-compiler" in caught[0].command
    orin.put("usr/lib/aarch64-linux-gnu/nvidia/libnvdla_compiler.so", "")
    assert any("the file is empty" in sentence for sentence in sentences(orin))  # a container's
    orin.put("usr/lib/aarch64-linux-gnu/nvidia/libnvdla_compiler.so", "ELF")
    assert not any("libnvdla" in sentence for sentence in sentences(orin))


def test_jetpack_7_2_needs_no_dla_compiler_but_an_older_tensorrt_does(tmp_path):
    orin = BoardRoot("jetson_orin_nano_jp7", tmp_path)
    assert sentences(orin) == []
    orin.drop_packages("tensorrt-*")
    orin.put_package("tensorrt-10.11.0.33", "3.12")
    assert any("JetPack 7.2 dropped it" in sentence for sentence in sentences(orin))


def test_tensorrt_of_another_python_is_found_and_named(nano):
    shutil.rmtree(str(nano.path("usr/bin")))
    nano.path("usr/bin").mkdir()
    nano.put("usr/bin/python3.6", "")
    nano.put("usr/bin/python3.8", "")
    nano.path("usr/bin/python3").symlink_to("python3.8")
    assert installed.look(Root(nano.folder)).python == "3.8"
    assert any("TensorRT 8.2.1.8 is there, but for Python 3.6" in text for text in sentences(nano))


def test_a_wheel_of_opencv_and_numpy_2_under_jetpacks_opencv(orin):
    assert any("opencv-python from pip has no GStreamer" in text for text in sentences(orin))
    orin.drop_packages("opencv_python*")
    orin.put_package("libopencv_python-4.8.0", "3.10", "usr/lib")
    assert any("built for NumPy 1" in sentence for sentence in sentences(orin))


def test_pynq_traps(tmp_path):
    board = BoardRoot("pynq_z2", tmp_path)
    assert any("pycparser 3.0" in sentence for sentence in sentences(board))
    board.drop_packages("pynq-*")
    board.put("usr/local/share/pynq-venv/lib/python3.10/site-packages/pynq-4.0.0.dist-info/x", "")
    assert [text for text in sentences(board) if "TypeError in Clocks" in text] == sentences(board)
