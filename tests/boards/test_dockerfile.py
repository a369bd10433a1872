"""The Dockerfiles begin with images that have what the profiles name. CI builds that of a PC."""

import re

from hotpath.boards import jetpacks
from tests.support import ROOT

HERE = ROOT / "hotpath" / "boards"


def test_a_jetsons_image_of_each_release_has_what_the_profiles_name():
    text = (HERE / "Dockerfile.l4t").read_text()
    stages = re.findall(r'^FROM nvcr.io/\S+ AS r(\d+)\nENV ARRAYS="(.*?)"$', text, re.MULTILINE)
    assert [release for release, _ in stages] == ["38", "36", "35", "32"]
    for release, arrays in stages:
        releases = [table for table in jetpacks().values() if table["l4t"].startswith(release)]
        assert {table["gpu_arrays"] for table in releases} == {arrays}


def test_the_image_of_a_computer_is_a_debian():
    first = re.search(r"^FROM (\S+)", (HERE / "Dockerfile").read_text(), re.MULTILINE)
    assert first.group(1).startswith("debian:")
