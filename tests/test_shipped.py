"""The default pair and kestrel on films that everybody can get: boxes, words, finds, presence.

``python -m tests.support.shipped`` writes the kept runs anew after a change that is meant.
"""

import json

import pytest

from tests.support import shipped
from tests.support.needs import skip

pytest.importorskip("onnxruntime")
pytest.importorskip("av")
KEPT = json.loads(shipped.FILE.read_text(encoding="utf-8"))


@pytest.fixture(autouse=True)
def _clip():
    if not shipped.CLIP.is_file():
        skip("clip of Big Buck Bunny", "make track")


@pytest.mark.parametrize("name", sorted(KEPT))
def test_a_run_is_the_one_that_is_kept(name):
    network, film = name.split()
    if shipped.why_not(network):
        pytest.skip(shipped.why_not(network))
    assert shipped.differences(KEPT[name], shipped.run(network, film)) == []
