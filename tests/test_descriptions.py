"""No description of a stranger chooses a folder, a scheme or a module: each key with ten lies."""

import ast
import json

import pytest

from hotpath.app import detect
from hotpath.base import projects, toml_keys
from hotpath.base.errors import HotpathError
from hotpath.base.toml_keys import FORMS, FileName, HttpsAddress, Name, Sha256
from hotpath.boards import load_board
from hotpath.deploy.bundles import prepared
from hotpath.runtime.network import NETWORKS
from hotpath.runtime.networks import bundle, load_network
from tests.support import ROOT, tiny, tiny_detector

HASH = "0" * 64
PATHS = [
    "../x",
    "/etc/passwd",
    "..",
    ".bashrc",
    "a/../../b",
    "..\\x",
    "a\0b",
    "*.onnx",
    "",
    "x" * 300,
]
LIES = {
    FileName: PATHS,
    Name: [*PATHS[:8], "x.toml", "/tmp/x.toml"],
    Sha256: [
        "",
        "0" * 63,
        "0" * 65,
        "g" * 64,
        "0" * 63 + "\n",
        "A" * 64,
        "../" + "0" * 61,
        "0x",
        "None",
        "*",
    ],
    HttpsAddress: [
        *("file:///etc/passwd", "data:,x", "http://h/x", "ftp://h/x", "//h/x", "https://", "/x"),
        *("https://a b/x", "https:/x", "https://h\\@evil/x"),
    ],
}
# texts that become neither a path nor an address, and why
FREE = {
    "family": "one of the files that are here",
    "part": "one of schema.KNOWN_PARTS",
    "licence source title after_build": "only printed",
    "search_features seen": "tensors of the engine",
    "compute_capability": "compared",
    "str": "versions of a bundle's libraries, only printed",
    "stream actuator": "compared with those of the run",
}
BOARD = 'title = "x"\nfamily = "computer"\n[precision]\nexists = ["fp32"]\ndefault = "fp32"\n'


def texts():
    """Return the names of all keys of the project that take any text."""
    for path in ROOT.rglob("*.py"):
        if any(
            part.startswith(".") or part.endswith("tests") for part in path.relative_to(ROOT).parts
        ):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            pairs = zip(node.keys, node.values) if isinstance(node, ast.Dict) else ()
            if isinstance(node, ast.Call):
                pairs = ((ast.Constant(k.arg), k.value) for k in node.keywords)
            for name, value in pairs:
                if isinstance(value, ast.Call) and ast.unparse(value.func).endswith("Key"):
                    chooses = len(value.args) > 2 or any(k.arg == "choices" for k in value.keywords)
                    if ast.unparse(value.args[0]) == "str" and not chooses:
                        # {str: Key(str)}: texts under any name
                        yield name.value if isinstance(name, ast.Constant) else name.id


def test_a_text_of_a_toml_has_a_kind_or_a_reason_for_none():
    known = set(" ".join(FREE).split())
    assert set(texts()) == known


def network(kind, value):
    """Return the TOML of a network with a lie, for each key of a kind."""
    file = 'name = "tiny_head.onnx"'
    if kind is HttpsAddress:
        return [tiny.TOML.replace(file, file + "\nurl = " + value)]
    if kind is Sha256:
        lies = [tiny.TOML.replace(file, file + "\nsha256 = " + value)]
        lies += [
            tiny.TOML + f"[{s}]\nname = 'x'\nsha256 = {value}\n"
            for s in ("point_prompt", "negatives")
        ]
        return [*lies, tiny.TOML + f"[made_from]\nhead = {value}\n"]
    if kind is FileName:
        made = f"name = {value}\nsha256 = '{HASH}'\n"
        lies = [tiny.TOML + f"[{section}]\n{made}" for section in ("point_prompt", "negatives")]
        return [*lies, tiny.TOML.replace('"tiny_head.onnx"', value)]
    return []


def detector(kind, value):
    file = 'name = "tiny_detector.onnx"'
    toml = tiny_detector.TOML
    return {
        HttpsAddress: [toml.replace(file, file + "\nurl = " + value)],
        Sha256: [toml.replace(file, file + "\nsha256 = " + value)],
        FileName: [
            toml.replace('"tiny_detector.onnx"', value),
            toml.replace('"colours.toml"', value),
        ],
        Name: [],
    }[kind]


def board(kind, value):
    lies = [f"engine = {value}\n" + BOARD, f'engine = "openvino"\nnetwork = {value}\n' + BOARD]
    return lies if kind is Name else []


def read_detector(path):
    """Describe a detector, and ask for its classes and file as ``load_detector`` does."""
    (path.parent / "colours.toml").write_text('names = ["red"]')
    return detect.describe(path)


READERS = {network: load_network, detector: read_detector, board: load_board}


@pytest.mark.parametrize("kind", FORMS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("lie", range(10))
def test_each_key_that_becomes_a_path_or_an_address_is_checked(tmp_path, kind, lie):
    value = LIES[kind][lie]
    assert toml_keys.form_problem(kind, value)
    for lying, read in READERS.items():
        for text in lying(kind, json.dumps(value)):
            (tmp_path / "evil.toml").write_text(text)
            with pytest.raises(HotpathError) as caught:
                read(tmp_path / "evil.toml")
            assert "evil.toml" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("lie", PATHS)
def test_no_entry_of_a_bundle_leaves_its_folder(tmp_path, lie):
    part = {"sha256": HASH, "bytes": 1}
    right = {
        **dict.fromkeys(bundle.FORM),
        **dict(format=bundle.FORMAT, board="host", engine="openvino", precision="fp32"),
        **dict(libraries={}, settings={}, run={}),
        "network": {"name": "tiny", "sha256": HASH, "files": {}},
        "parts": {"tiny.toml": part, "search.onnx": part},
    }

    def read(**changed):
        values = {**right, **changed}
        (tmp_path / "bundle.json").write_text(
            json.dumps({**values, "sha256": bundle.entries_sha256(values)})
        )
        return bundle.Bundle(tmp_path)

    assert read().board == "host"
    for change in (
        *({key: lie} for key in ("board", "engine", "precision")),
        {"network": dict(right["network"], name=lie), "parts": {lie + ".toml": part}},
        {"network": dict(right["network"], sha256=lie)},
        {"parts": {**right["parts"], lie: part}},
        {"parts": {**right["parts"], "search.onnx": dict(part, sha256=lie)}},
    ):
        with pytest.raises(bundle.BadBundle):
            read(**change)


@pytest.mark.parametrize("lie", PATHS)
def test_no_entry_of_a_prepared_folder_leaves_it(tmp_path, lie):
    values = {"files": {lie: HASH}, "format": prepared.FORMAT}
    values["sha256"] = prepared._digest(values)
    (tmp_path / prepared.FILE).write_text(json.dumps(values))
    with pytest.raises(HotpathError, match="was altered"):
        prepared.read(tmp_path)


def test_a_prepared_folder_of_another_version_is_refused(tmp_path):
    values = {"files": {}, "format": prepared.FORMAT - 1}
    values["sha256"] = prepared._digest(values)
    (tmp_path / prepared.FILE).write_text(json.dumps(values))
    with pytest.raises(HotpathError, match="another version of this program made it"):
        prepared.read(tmp_path)


@pytest.mark.parametrize("lie", [*PATHS, "os:system", ".x:PLUG", "hotpath_x:a:b", "hotpath_x"])
def test_the_plug_of_a_project_is_a_module_of_its_own(lie, capsys):
    assert projects._load_plug(lie) is None
    assert "hotpath_NAME.MODULE:THING" in capsys.readouterr().err


def test_what_ships_holds_to_it():
    assert all(load_network(path).files for path in NETWORKS.rglob("*.toml"))
    assert all(detect.describe(name).file.url.startswith("https://") for name in detect.names())
