"""The small files beside a sequence's pictures are regular files of some kB, or not read at all."""

import os
import time

import pytest

from hotpath.video import sequence

SIDE_FILES = {
    "sequence": "fps=12.5\n",
    "seqinfo.ini": "[Sequence]\nname=MOT\nframeRate = 12.5\n",
    "meta_info.ini": "[METAINFO]\nurl: x\nanno_fps: 12.5Hz\n",
}


def twelve_gigabytes(path, text):
    with open(str(path), "wb") as file:
        file.truncate(12 << 30)


FORMS = {  # name -> (what makes such a file of the text, the rate that is read)
    "plain": (lambda path, text: path.write_text(text), 12.5),
    "many empty lines": (
        lambda path, text: path.write_text("\n" * (sequence.MOST_SIDE_BYTES - len(text)) + text),
        12.5,
    ),
    "zeros without an end": (lambda path, text: path.symlink_to("/dev/zero"), None),
    "a pipe": (lambda path, text: os.mkfifo(str(path)), None),
    "twelve gigabytes": (twelve_gigabytes, None),
    "a folder": (lambda path, text: path.mkdir(), None),
}


@pytest.mark.parametrize("name", sorted(SIDE_FILES))
@pytest.mark.parametrize("make, fps", FORMS.values(), ids=FORMS)
def test_a_file_that_states_the_frame_rate_costs_little_whatever_it_is(tmp_path, name, make, fps):
    make(tmp_path / name, SIDE_FILES[name])
    began_s = time.process_time()
    assert sequence.stated_fps(str(tmp_path)) == fps
    assert time.process_time() - began_s < 1.5  # a search that goes back at each line takes six
