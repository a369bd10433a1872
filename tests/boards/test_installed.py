"""Packages are found with their version and origin, and nothing is imported for it."""

import pytest

from boards import installed
from boards.files import Root

pytestmark = pytest.mark.pythons("each Python lists its packages differently")


def test_packages_are_found_with_version_and_origin(orin):
    packages = installed.look(Root(orin.folder)).packages
    assert packages["cv2"][:2] == ("4.12.0.88", "pip")
    assert packages["tensorrt"][:2] == ("10.3.0", "apt")
    assert "cupy" not in packages


def test_jetpacks_opencv_is_a_bare_folder_with_its_version_in_dpkg(nano):
    nano.drop_packages("libopencv_python*")
    nano.put("usr/lib/python3.6/dist-packages/cv2/__init__.py", "")
    assert installed.look(Root(nano.folder)).packages["cv2"][:2] == ("4.1.1", "apt")


def test_packages_that_are_removed_but_not_purged_are_not_installed(nano):
    status = nano.path("var/lib/dpkg/status")
    text = status.read_text(encoding="utf-8").replace(
        "install ok installed", "deinstall ok config-files"
    )
    status.write_text(text, encoding="utf-8")
    assert installed.look(Root(nano.folder)).debian == {}


def test_this_pythons_own_packages_are_found():
    """pytest runs, so at least pip's kind of metadata is here; compare with the real library."""
    found = installed.look(Root()).packages
    numpy = pytest.importorskip("numpy")
    assert found["numpy"].version == numpy.__version__


def test_versions_compare_by_number_not_by_text():
    assert installed.at_least("10.3.0", (8, 5)) and not installed.at_least("8.5.2", (10,))
    assert installed.at_least("10.16.2.10", (10, 16)) and not installed.at_least(None, (1,))
