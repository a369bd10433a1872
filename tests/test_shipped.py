"""The default pair and kestrel on films that everybody can get: boxes, words, finds, presence.

``python -m tests.support.shipped`` writes the kept runs anew after a change that is meant.
"""

import json
import re
import shutil

import pytest

from hotpath.runtime import networks
from hotpath.runtime.identity import identity
from hotpath.runtime.search import search
from hotpath.runtime.tracker import witness
from tests.support import shipped
from tests.support.needs import skip

pytest.importorskip("onnxruntime")
pytest.importorskip("av")
KEPT = json.loads(shipped.FILE.read_text(encoding="utf-8"))
CHANGES = (  # of kestrel.toml: what another number does, and the film that shows it
    ("window_influence", 0.45, "covered"),
    ("size_lr", 0.3, "cut"),
    ("search_lost_below", 0.4, "covered"),
    ("look_above", 0.7, "pan"),
    ("found_above", 0.4, "jerk"),
    ("same_share", 0.1, "jerk"),
    ("peak_share", 0.9, "jerk"),
)
NUMBERS = (  # of all networks, as CHANGES
    (identity, "KEPT", 0.2, "covered"),
    (identity, "FRAMES", 1, "pan"),
    (identity, "RISE", 1.5, "cut"),
    (search, "NEAREST", 0.9, "jerk"),
    (witness, "AGREE", 0.9, "jerk"),
    (witness, "MOST_OF_ONE", 0.2, "jerk"),
    (witness, "TOGETHER", 0.1, "jerk"),
    (witness, "FALLEN", 0.6, "cut"),
)


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


@pytest.mark.parametrize("key, value, film", CHANGES, ids=[change[0] for change in CHANGES])
def test_another_decision_number_is_noticed(key, value, film, tmp_path, monkeypatch):
    for path in networks.FOLDER.glob("kestrel[_.-]*"):
        shutil.copy(str(path), str(tmp_path))
    toml = tmp_path / "kestrel.toml"
    text = toml.read_text(encoding="utf-8")
    changed = re.sub(rf"^{key} = [\d.]+", f"{key} = {value}", text, flags=re.MULTILINE)
    assert changed != text
    toml.write_text(changed, encoding="utf-8")
    monkeypatch.setitem(shipped.NETWORKS, "changed", (str(toml), "fp32"))
    assert shipped.differences(KEPT["kestrel-fp32 " + film], shipped.run("changed", film))


@pytest.mark.parametrize("module, name, value, film", NUMBERS, ids=[n[1] for n in NUMBERS])
def test_another_number_of_all_networks_is_noticed(module, name, value, film, monkeypatch):
    monkeypatch.setattr(module, name, value)
    network = "default-fp32" if module is witness else "kestrel-fp32"
    assert shipped.differences(KEPT[f"{network} {film}"], shipped.run(network, film))
