"""A bundle states what it was built from. A mismatch gives one sentence that names the remedy."""

import gc
import json
import os
import resource

import pytest

pytest.importorskip("onnxruntime")

from hotpath import boards
from hotpath.boards import detect
from hotpath.deploy.bundles import engines as build_engines
from hotpath.deploy.bundles import prepared as preparations
from hotpath.deploy.bundles.engines import tensorrt
from hotpath.deploy.bundles.order import Order
from hotpath.deploy.errors import BuildFailed
from hotpath.kernels import cpu
from hotpath.runtime import bundle_choice, choice, engines, loading
from hotpath.runtime.errors import BundleMismatch, NoEngine
from hotpath.runtime.networks import bundle, load_network
from hotpath.runtime.options import Options
from hotpath_nogpu.tensorrt import machine
from tests.support import tiny
from tests.support.errors import refusal

on_each_python = pytest.mark.pythons("files and JSON")

COMMAND = "make engine BOARD=jetson_nano NETWORK=tiny PRECISION=fp16"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A prepared folder of the tiny network for a Nano."""
    folder = tmp_path_factory.mktemp("prepared")
    network = load_network(tiny.write_network(folder))
    board = boards.load_board("jetson_nano")
    preparations.prepare(folder / "out", Order(board, network, "fp16"), lambda s: None)
    return folder


@pytest.fixture
def nano(monkeypatch, tmp_path):
    """This computer as a Nano with TensorRT 8.2."""
    monkeypatch.setattr(tensorrt, "CACHE", tmp_path / "cache")
    played = machine.FakeBoard("8.2")
    yield played
    played.leave()


@pytest.fixture
def made(nano, prepared, tmp_path):
    """A bundle that was built on it."""
    folder = tmp_path / "nano" / "tiny-fp16"
    return tensorrt.build_prepared(prepared / "out", folder, lambda s: None)


def refused(made, *texts, precision="auto", **chosen):
    """Loading must fail before the device is opened, with every text in one sentence."""
    with pytest.raises(bundle.BadBundle) as caught:
        options = Options(precision=precision)
        own = bundle.Bundle(made.folder)
        loading.open_setup(loading.Setup(bundle=own, options=options, **chosen))
    for text in texts:
        assert text in str(caught.value), str(caught.value)
    assert "\n" not in str(caught.value)


@on_each_python
def test_it_says_what_it_was_made_from_and_needs_no_other_file(made, prepared):
    written = json.loads((made.folder / "bundle.json").read_text())
    network = load_network(prepared / "tiny.toml")
    files = {part: bundle.sha256_of(path) for part, path in network.locate().items()}
    assert written["network"]["name"] == "tiny" and written["network"]["files"] == files
    assert written["board"] == "jetson_nano" and written["precision"] == "fp16"
    assert written["engine"] == "tensorrt" and written["compute_capability"] == "5.3"
    assert written["libraries"] == {"tensorrt": "8.2.1.8"}
    assert set(written["parts"]) == {"exemplar.plan", "search0.plan", "tiny.toml"}
    assert written["parts"]["search0.plan"]["sha256"] == bundle.sha256_of(made.path("search0.plan"))
    engine = loading.open_setup(loading.Setup(bundle=bundle.Bundle(made.folder)))
    assert engine.network.name == "tiny" and engine.network.map_size == 16
    assert engine.describe()["precision"] == "fp16"


def rewritten(made, change, **values):
    """Change what ``bundle.json`` says, and seal it again unless ``values`` replace entries."""
    path = made.folder / "bundle.json"
    told = dict(json.loads(path.read_text()), **values)
    if not values:
        change(told)
        told["sha256"] = bundle.entries_sha256(told)
    path.write_text(json.dumps(told))


def plan(change):
    """Change the bytes of a plan."""

    def damage(made):
        path = made.path("search0.plan")
        path.write_bytes(change(path.read_bytes()))

    return damage


def link(made):
    """Let a part be a link to a file outside the folder."""
    elsewhere = made.folder.parent / "elsewhere.plan"
    made.path("search0.plan").rename(elsewhere)
    made.path("search0.plan").symlink_to(elsewhere)


def older_toml(made):
    """A TOML of another version, whose hash is right."""
    path = made.path("tiny.toml")
    path.write_text(path.read_text().replace("size_lr = ", "learning = "))
    part = {"bytes": path.stat().st_size, "sha256": bundle.sha256_of(path)}
    rewritten(made, lambda values: values["parts"].update({"tiny.toml": part}))


def outside(made):
    (made.folder.parent.parent / "secret").write_text("x")
    part = {"sha256": bundle.sha256_of(made.folder.parent.parent / "secret"), "bytes": 1}
    rewritten(made, lambda values: values["parts"].update({"../../secret": part}))


def run(change):
    """Change the entry ``run``."""
    return lambda made: rewritten(made, lambda values: change(values["run"]))


def by_hand(**values):
    """Change an entry, which keeps its type, and do not seal the table again."""
    return lambda made: rewritten(made, None, **values)


WHOLE, WRITTEN = "search0.plan", "is not as it was written"
ALTERED = {
    "half of a plan": (plan(lambda data: data[: len(data) // 2]), WHOLE, "is truncated"),
    "another byte": (plan(lambda d: d[:-1] + bytes([d[-1] ^ 1])), WHOLE, "was altered since"),
    "no plan": (lambda made: made.path("search0.plan").unlink(), WHOLE, "is missing"),
    "a link": (link, "a link to a file outside the bundle"),
    "a part outside": (outside, "names a part outside it"),
    "another version": (older_toml, "built by another version of Hotpath", "learning"),
    "no shapes": (run(lambda run: run.update(shapes={})), WRITTEN),
    "an endless tensor": (
        run(lambda run: run["shapes"].update({run["maps"][0]: [1, 2, 1 << 40]})),
        WRITTEN,
    ),
    "a tensor below zero": (
        run(lambda run: run["shapes"].update({run["maps"][0]: [1, -2, 16, 16]})),
        WRITTEN,
    ),
    "no picture": (run(lambda run: run["shapes"].update(search=[1, 3, 255, 17])), WRITTEN),
    "a map that nobody gives": (run(lambda run: run["maps"].append("nowhere")), WRITTEN),
    "one tensor as two": (run(lambda run: run["maps"].append(run["maps"][0])), WRITTEN),
    "features that nobody sees": (run(lambda run: run.update(seen="nowhere")), WRITTEN),
    "features without a name": (run(lambda run: run.update(seen="")), WRITTEN),
    "features of no square": (run(lambda run: run.update(seen="exemplar")), WRITTEN),
    "no parts": (run(lambda run: run.update(parts=[])), WRITTEN),
    "a file that is no part": (run(lambda run: run.update(parts=["../other.plan"])), WRITTEN),
    "a step after the last part": (run(lambda run: run["steps"].append([{}])), WRITTEN),
    "engine": (by_hand(engine="onnxruntime"), WRITTEN),
    "precision": (by_hand(precision="int8"), WRITTEN),
    "board": (by_hand(board="jetson_orin_nano"), WRITTEN),
    "libraries": (by_hand(libraries={"tensorrt": "10.3"}), WRITTEN),
    "settings": (by_hand(settings={"dla": 1}), WRITTEN),
    "compute_capability": (by_hand(compute_capability="8.7"), WRITTEN),
    "calibration": (by_hand(calibration_sha256="0" * 64), WRITTEN),
    "seal": (by_hand(sha256="0" * 64), WRITTEN),
}


@on_each_python
@pytest.mark.parametrize("how", ALTERED)
def test_what_is_not_as_it_was_built_is_one_sentence(made, nano, how):
    damage, *texts = ALTERED[how]
    opened = len(nano.devices)
    damage(made)
    refused(made, *texts, "make engine")
    assert len(nano.devices) == opened


def test_a_link_within_the_bundle_and_to_its_folder_is_followed(made, tmp_path):
    made.path("search0.plan").rename(made.path("kept.plan"))
    made.path("search0.plan").symlink_to("kept.plan")
    (tmp_path / "linked").symlink_to(made.folder)
    loading.open_setup(loading.Setup(bundle=bundle.Bundle(tmp_path / "linked")))


@pytest.mark.parametrize(
    ("release", "capability", "told"),
    [
        ("8.6", "5.3", "tensorrt 8.2.1.8, but here it is 8.6.1"),
        ("8.2", "6.2", "compute capability 5.3, but here it is 6.2"),
    ],
)
def test_another_tensorrt_or_gpu_is_one_sentence(made, nano, release, capability, told):
    nano.leave()
    other = machine.FakeBoard(release, capability=capability)
    try:
        refused(made, "was built for " + told, COMMAND)
        assert not other.devices
    finally:
        other.leave()


@pytest.fixture
def here(nano, prepared, tmp_path, monkeypatch):
    """A Nano, whose folder has no bundle yet; returns the tiny network's TOML."""
    nano.be("jetson_nano")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bundle, "HERE", str(tmp_path))
    monkeypatch.setattr(choice, "DEVICE_TREE", os.devnull)
    return prepared / "tiny.toml"


def build_here(prepared, precision="fp16", built_s=0, board="jetson_nano"):
    """A bundle of the tiny network in ./engines, which was built at that time."""
    folder = bundle.folder_of(board, "tiny", precision)
    made = tensorrt.build_prepared(prepared / "out", folder, lambda s: None)
    rewritten(made, lambda values: values.update(precision=precision, board=board))
    os.utime(str(folder / bundle.FILE), (built_s, built_s))
    return folder


@on_each_python
def test_auto_takes_the_boards_bundle_that_was_built_last(here, prepared):
    (bundle.folder_of("jetson_nano", "tiny", "fp16").with_name("tiny-fp16.prepared")).mkdir(
        parents=True
    )
    first = build_here(prepared, "fp16", 1000)
    build_here(prepared, "fp16", 3000, "jetson_tx2")
    asked = Options(here)
    assert loading.choose(asked).bundle.folder == first
    second = build_here(prepared, "fp32", 2000)
    setup = loading.choose(asked)
    assert setup.bundle.folder == second
    built = "built on 1970-01-01, in fp32 on tensorrt 8.2.1.8"
    assert choice.describe_choice(setup, None, "without a witness") == (
        f"tiny runs from {second}, {built}, without a witness"
    )
    assert loading.choose(asked._replace(precision="fp16")).bundle.folder == first
    for beside in (first, second):  # as of a witness, which has the precision of the first network
        assert loading.choose(asked, bundle.Bundle(beside)).bundle.folder == beside
    assert loading.choose(asked._replace(engine="onnxruntime")).bundle is None
    assert loading.choose(asked._replace(engine="tensorrt")).bundle.folder == second
    (second / bundle.FILE).write_text("{")
    assert loading.choose(asked).bundle.folder == first  # the one that can be read
    with refusal(bundle.BadBundle, "damaged"):
        loading.choose(asked._replace(precision="fp32"))


def test_auto_takes_the_bundle_in_the_clone_from_another_folder(here, prepared, tmp_path):
    folder = build_here(prepared)
    (tmp_path / "films").mkdir()
    os.chdir(str(tmp_path / "films"))
    assert loading.choose(Options(here)).bundle.folder.resolve() == (tmp_path / folder).resolve()


def test_a_board_without_a_bundle_is_told_the_command(here, monkeypatch, nano):
    command = " engine BOARD=jetson_nano NETWORK="
    setup = loading.choose(Options(here))
    assert setup.bundle is None
    assert setup.missing.startswith("there is no bundle engines/jetson_nano/") and (
        command in setup.missing
    )
    monkeypatch.setattr(engines, "installed", list)
    with refusal(bundle.BadBundle, "no bundle", command=command):
        loading.choose(Options(here))
    with refusal(bundle.BadBundle, "no bundle", command=" engine BOARD=jetson_nano"):
        loading.choose(Options())  # what runs by default is built as one
    nano.be("host")
    monkeypatch.undo()
    assert not loading.choose(Options(here)).missing  # a computer runs the network's own files


@pytest.mark.parametrize("board", [None, "nvidia_gpu"], ids=["foreign carrier", "container"])
def test_where_the_board_is_not_certain_the_bundle_names_it(here, prepared, nano, board):
    found = detect.Detection()
    found.board, found.sure = board and boards.load_board(board), False
    found.candidates = ["jetson_agx_orin", "jetson_nano"]  # its GPU is that of the second
    detect.detect = lambda root="/": found  # until ``nano`` leaves
    assert " engine BOARD=jetson_nano" in loading.choose(Options(here)).missing
    build_here(prepared, board="jetson_agx_orin")
    assert loading.choose(Options(here)).bundle is None
    folder = build_here(prepared)
    setup = loading.choose(Options(here))
    assert setup.bundle.folder == folder
    assert loading.choose(Options(bundle=folder)).bundle.folder == folder


@pytest.mark.parametrize(
    ("given", "is_pair"),
    [
        (("jetson_nano", "kestrel", "fp16"), True),
        (("jetson_nano", "kestrel", "fp16", bundle.FOLDER), True),
        (("jetson_nano", "kestrel_fast", "fp16"), False),
        (("jetson_nano", "kestrel", "fp32"), False),
        (("jetson_nano", "kestrel", "fp16", "elsewhere"), False),
        (("a_board_of_ones_own", "kestrel", "fp16"), False),
    ],
)
def test_what_follows_by_default_is_built_again_as_one(given, is_pair):
    assert (bundle.build_command(*given) == "make engine BOARD=jetson_nano") == is_pair


@on_each_python
def test_from_another_folder_the_command_builds_beside_the_bundle(monkeypatch, tmp_path):
    told = bundle.build_command("host", "kestrel", "fp32", "mine")
    assert told == "make engine BOARD=host NETWORK=kestrel PRECISION=fp32 ARGS='--out mine'"
    monkeypatch.chdir(tmp_path)  # `make -C` would take a relative path from the clone
    told = bundle.build_command("host", "kestrel", "fp32", "mine")
    assert told.endswith(f" PRECISION=fp32 ARGS='--out {tmp_path}/mine'")


def test_another_board_engine_or_precision_is_one_sentence(made, nano, monkeypatch):
    with refusal(NoEngine, "other engine"):
        loading.load(Options(bundle=made.folder, engine="openvino"))
    with refusal(NoEngine, "other engine"):
        loading.load(Options("kestrel", engine="tensorrt"))
    told = "was built for precision fp16, but here it is fp32"
    refused(made, told, COMMAND.replace("fp16", "fp32"), precision="fp32")
    nano.be("jetson_tx2")
    told = "was built for board jetson_nano, but here it is jetson_tx2"
    with pytest.raises(BundleMismatch, match=told) as caught:
        loading.choose(Options(bundle=made.folder))
    assert COMMAND.replace("jetson_nano", "jetson_tx2") in str(caught.value)
    monkeypatch.setattr(bundle_choice, "boards_here", lambda: [boards.load_board("host")])
    with pytest.raises(BundleMismatch) as caught:  # a computer makes no fp16
        loading.choose(Options(bundle=made.folder))
    host = COMMAND.replace("jetson_nano", "host").replace("fp16", "fp32")
    assert host in str(caught.value)


def test_another_network_needs_a_bundle_and_a_tuned_one_none(made, nano, tmp_path):
    def network(old="", new="", name="tiny.toml", **sums):
        text = made.path("tiny.toml").read_text()
        assert old in text
        text = text.replace(old, new)
        for part, sha256 in sums.items():
            line = f'name = "tiny_{part}.onnx"'
            text = text.replace(line, f'{line}\nsha256 = "{sha256}"')
        (tmp_path / name).write_text(text)
        return load_network(tmp_path / name)

    loading.open_setup(
        loading.Setup(network("penalty = 0.1", "penalty = 0.2"), bundle=made)
    ).close()
    opened = len(nano.devices)
    wrong = network(head="ab" * 32)
    refused(made, "was built for head of tiny sha256", "abababab", COMMAND, network=wrong)
    larger = network("search = 255", "search = 271", **made.network["files"])
    refused(made, "was built for TOML of tiny", COMMAND, network=larger)
    # where no sha256 is known, crop and select would go beyond the allocated memory
    larger = network("search = 255", "search = 271")
    refused(made, "was built for pictures of tiny 127 and 255 pixels", COMMAND, network=larger)
    larger = network("map_size = 16", "map_size = 17")
    words = "was built for maps of tiny 1x2x16x16 and 1x4x16x16, but here it is 1x2x17x17 and"
    refused(made, words, COMMAND, network=larger)
    other, command = network(name="other.toml"), COMMAND.replace("NETWORK=tiny", "NETWORK=other")
    refused(made, "was built for network tiny, but here it is other", command, network=other)
    assert len(nano.devices) == opened


@pytest.mark.parametrize("part", ["backbone", "head"])
def test_a_file_whose_hash_nobody_states_is_compared_where_it_is(made, prepared, tmp_path, part):
    for path in (prepared / "tiny.toml", *prepared.glob("tiny_*.onnx")):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    network = load_network(tmp_path / "tiny.toml")
    assert [entry.sha256 for entry in network.files] == [None, None]
    loading.open_setup(loading.Setup(network, bundle=made)).close()
    path = network.locate()[part]
    path.write_bytes(path.read_bytes() + b"\x12\x00")  # trained again: other bytes
    refused(made, f"was built for {part} of tiny sha256", COMMAND, network=network)


@pytest.fixture(params=engines.installed())
def computers(request, tmp_path):
    """A bundle of this computer's for each engine."""
    network = load_network(tiny.write_network(tmp_path))
    board = boards.load_board("host")._replace(engine=request.param)
    made = build_engines.build_files(Order(board, network, "fp32", tmp_path), lambda s: None)
    assert made.engine == request.param
    return made


@on_each_python
def test_a_computers_bundle_loads_in_its_engine(computers):
    engine = loading.open_setup(loading.Setup(bundle=computers))
    assert engine.name == computers.engine and engine.name in computers.libraries
    assert [array.shape for array in engine.search(engine.exemplar())][0] == (1, 2, 16, 16)
    engine.close()


def test_a_computers_bundle_fits_one_with_a_gpu_and_not_back(computers, nano):
    asked = Options(bundle=computers.folder)
    for name in ("nvidia_gpu", "host", "raspberry_pi5"):
        nano.be(name)
        assert loading.choose(asked).bundle.folder == computers.folder
    nano.be("jetson_nano")
    with refusal(BundleMismatch, "other system", command="jetson_nano"):
        loading.choose(asked)
    rewritten(computers, lambda values: values.update(board="nvidia_gpu"))
    nano.be("host")
    with refusal(BundleMismatch, "other system", command="host"):
        loading.choose(asked)


def test_a_bundle_of_a_dla_core_is_one_sentence(made):
    made.settings["dla"] = 0
    with pytest.raises(bundle.BadBundle, match="built for a DLA core"):
        loading.open_setup(loading.Setup(bundle=made))


def test_a_provider_that_is_none_is_one_sentence(computers):
    computers.engine, computers.settings["provider"] = "onnxruntime", "cuda"
    with refusal(bundle.BadBundle, "damaged"):
        loading.open_setup(loading.Setup(bundle=computers))
    for wrong in ("tensorrt", 7, ["cuda"]):
        computers.engine = "onnxruntime_gpu"
        computers.settings["provider"] = wrong
        with refusal(NoEngine, "unknown provider"):
            loading.open_setup(loading.Setup(bundle=computers))


def test_a_device_that_cannot_crop_leaves_that_to_the_processor(made):
    engine = loading.open_setup(loading.Setup(bundle=made))
    messages = []
    options = Options(log=messages.append)
    device = loading.create_device(made.load_network(), engine, cpu.load(), options)
    assert type(device).__name__ == "CpuDevice"
    assert any("on the processor" in sentence for sentence in messages)


@on_each_python
def test_a_broken_or_missing_bundle_json_is_one_sentence(made, tmp_path):
    gc.collect()  # an object of another test that dies in the deepest list could say nothing
    for text in ("", "{", "[" * 99999, "[]", '{"format": 1, "board": "jetson_nano"}', "7"):
        (made.folder / "bundle.json").write_text(text)
        with pytest.raises(bundle.BadBundle, match="bundle.json .*build it again"):
            bundle.Bundle(made.folder)
    with refusal(bundle.BadBundle, "no bundle", command="make engine"):
        bundle.Bundle(tmp_path)


@pytest.mark.parametrize("key", sorted(set(bundle.FORM) - {"calibration_sha256", "sha256"}))
def test_entries_of_another_kind_are_one_sentence(made, key):
    right = {"settings": dict, "board": str, "engine": str, "precision": str}
    for wrong in (None, 7, "x", [], {}, [7], {"x": 7}):
        if isinstance(wrong, right.get(key, ())):
            continue
        rewritten(made, lambda values, wrong=wrong: values.update({key: wrong}))
        with pytest.raises(bundle.BadBundle):
            loading.open_setup(loading.Setup(bundle=bundle.Bundle(made.folder)))


def test_it_is_found_by_board_network_and_precision(made, nano, tmp_path):
    assert bundle.folder_of("host", "kestrel-int8", "int8").name == "kestrel-int8"
    assert bundle.folder_of("host", "kestrel-int8", "fp32").name == "kestrel-int8-fp32"
    board, network = "jetson_nano", made.load_network()
    folder = bundle.folder_of("jetson_nano", "tiny", "fp16", tmp_path / "engines")
    folder.parent.mkdir(parents=True)
    made.folder.rename(folder)
    assert bundle.find(board, network, folder=tmp_path / "engines").folder == folder
    with refusal(bundle.BadBundle, "no bundle", command="tiny.toml PRECISION=fp32"):
        bundle.find(board, network, "fp32", folder=tmp_path / "engines")
    folder.rename(folder.with_name("tiny"))  # as of a network that is named for its precision
    assert bundle.find(board, network, folder=tmp_path / "engines").folder.name == "tiny"
    folder = folder.with_name("tiny")
    folder.rename(folder.with_name("tiny-fp32"))  # another precision is better than none
    found = bundle.find(board, network, folder=tmp_path / "engines")
    assert found.folder.name == "tiny-fp32"


@on_each_python
@pytest.mark.parametrize("how", ["fails", "disk full", "no folder"])
def test_a_failed_build_leaves_the_old_bundle(made, nano, prepared, tmp_path, monkeypatch, how):
    """And nothing beside it."""
    before = sorted(path.name for path in made.folder.parent.iterdir())
    old, target = (made.folder / "bundle.json").read_bytes(), made.folder
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    expected = pytest.raises(bundle.BadBundle, match="can't be written")
    if how == "fails":
        nano.trt.Builder.build_serialized_network = lambda self, network, config: None
        expected = refusal(BuildFailed, "not built")
    elif how == "disk full":
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
        expected = pytest.raises(bundle.BadBundle, match="File too large.*make room")
    else:
        (tmp_path / "file").write_text("")
        target = tmp_path / "file" / "bundle"
        expected = refusal(bundle.BadBundle, "not written")
    try:
        with expected:
            tensorrt.build_prepared(prepared / "out", target, lambda s: None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (made.folder / "bundle.json").read_bytes() == old
    assert sorted(path.name for path in made.folder.parent.iterdir()) == before
