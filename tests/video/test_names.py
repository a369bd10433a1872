"""A file or an address of any name is opened or refused; none of them ends the interpreter."""

import os
import sys

import pytest

from tests.support import ROOT, run
from tests.video.test_sources import write_pictures, write_video

READ_ALL = (
    "import sys; from hotpath.app.cli.progress import quiet; quiet()\n"
    "from hotpath.runtime.errors import BadSource\n"
    "from hotpath.video.sources import open_source\n"
    "count = 0\n"
    "try:\n"
    "    with open_source(sys.argv[1]) as source:\n"
    "        while source.read() is not None: count += 1\n"
    "    print(count)\n"
    "except BadSource as error: print(ascii(str(error)))\n"
)
UTF8, LATIN = "\u00f6 \u8996 d".encode("utf-8"), b"a\xff"


def messages(spec, cwd=ROOT):
    """Open a source in the C locale, where every name goes to OpenCV itself; return the output."""
    env = dict(os.environ, LANG="C", LC_ALL="C", PYTHONPATH=str(ROOT))
    done = run([sys.executable, "-c", READ_ALL, os.fsdecode(spec)], cwd=cwd, env=env)
    assert done.returncode == 0  # -11: a segmentation fault
    return done.stdout.strip()


@pytest.mark.parametrize("name", [UTF8, LATIN])
@pytest.mark.parametrize("kind", [b".avi", b".mkv"])
def test_a_video_of_any_name_is_read(tmp_path, name, kind):
    path = os.path.join(os.fsencode(str(tmp_path)), name + kind)
    os.rename(write_video(tmp_path / ("a" + kind.decode("ascii")), 5), path)
    assert messages(path) == "5"


@pytest.mark.parametrize("name", [UTF8, LATIN])
def test_a_folder_of_any_name_is_read_and_may_be_the_current_one(tmp_path, name):
    write_pictures(tmp_path / "a", 4)
    write_video(tmp_path / "a" / "b.avi", 3)
    path = os.path.join(os.fsencode(str(tmp_path)), name)
    os.rename(str(tmp_path / "a"), path)
    assert messages(path) == "4"
    assert messages(b"b.avi", cwd=path) == "3"


def test_an_address_that_is_no_text_is_refused_in_a_sentence():
    assert "write any other byte as %FF" in messages(b"http://127.0.0.1:1/\xff")
