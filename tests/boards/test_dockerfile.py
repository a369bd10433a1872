"""The Dockerfiles begin with images that have what the profiles name. CI builds that of a PC."""

import re

import pytest

from hotpath.boards import jetpacks
from tests.support import ROOT

HERE = ROOT / "hotpath" / "boards"
IMAGES = {  # release of L4T -> NVIDIA's image of it
    "38": "nvcr.io/nvidia/tensorrt:25.08-py3",
    "36": "nvcr.io/nvidia/l4t-jetpack:r36.4.0",
    "35": "nvcr.io/nvidia/l4t-jetpack:r35.4.1",
    "32": "nvcr.io/nvidia/l4t-ml:r32.7.1-py3",
}


@pytest.mark.parametrize("release", IMAGES)
def test_a_jetsons_image_has_what_the_profiles_name(release):
    text = (HERE / "Dockerfile.l4t").read_text()
    stage = rf'^FROM (\S+) AS r{release}\nENV ARRAYS="(.*?)"$'
    image, arrays = re.search(stage, text, re.MULTILINE).groups()
    releases = [table for table in jetpacks().values() if table["l4t"].startswith(release)]
    assert image == IMAGES[release]
    assert {table["gpu_arrays"] for table in releases} == {arrays}


def test_a_jetsons_dockerfile_has_no_other_release():
    found = re.findall(r"^FROM \S+ AS r(\d+)$", (HERE / "Dockerfile.l4t").read_text(), re.MULTILINE)
    assert found == list(IMAGES)


def test_the_image_of_a_computer_is_a_debian():
    first = re.search(r"^FROM (\S+)", (HERE / "Dockerfile").read_text(), re.MULTILINE)
    assert first.group(1).startswith("debian:")
