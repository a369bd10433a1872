"""INT8 is chosen automatically if the processor has instructions for it."""

import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

import onnx

from hotpath.app.cli.networks import networks_command
from hotpath.runtime import BadNetwork, NoEngine, engines, load_tracker
from hotpath.runtime.engines.base import Setup
from hotpath.runtime.engines.shared import arithmetic, precision
from hotpath.runtime.networks import load_network, sha256_of
from hotpath.runtime.options import Options
from tests.support import tiny
from tests.support.errors import refusal

VNNI = "model name : one\nflags : fpu avx2 avx512f avx512_vnni\n"
PLAIN = "model name : two\nflags : fpu avx2 avx512f\n"
ARM = "Features : fp asimd asimddp\nCPU part : 0xd42\n"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The tiny network, with a second copy in the folder ``int8`` that counts as its INT8 form.

    The processor is the one that ``home / "cpuinfo"`` describes.
    """
    monkeypatch.setattr(arithmetic, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.delenv(arithmetic.LIMIT, raising=False)
    (tmp_path / "cpuinfo").write_text(VNNI)
    folder = tmp_path / "int8"
    folder.mkdir()
    form = tiny.write_network(folder)
    form.rename(folder / "tiny-int8.toml")
    form = folder / "tiny-int8.toml"
    name_source(form, load_network(tiny.write_network(tmp_path)).hashes())
    return tmp_path


def name_source(form, hashes):
    """Write [made_from] into an INT8 form's TOML, as ``hotpath int8`` does."""
    text = form.read_text().partition("[made_from]")[0]
    lines = [f'{part} = "{sha256}"' for part, sha256 in hashes.items()]
    form.write_text("\n".join([text, "[made_from]", *lines, ""]))


def retrain(home, part="head"):
    """Change a file of the network, and the sha256 in its TOML if that states one."""
    toml = home / "tiny.toml"
    network = load_network(toml)
    path = network.locate()[part]
    before, model = sha256_of(path), onnx.load(str(path))
    model.doc_string = "trained again"
    onnx.save(model, str(path))
    toml.write_text(toml.read_text().replace(before, sha256_of(path)))


@pytest.mark.parametrize("part", ["backbone", "head", None])
def test_the_int8_form_of_other_weights_does_not_run(home, part):
    form = home / "int8" / "tiny-int8.toml"
    if part is None:  # of an earlier version: nobody knows what it was made from
        form.write_text(form.read_text().partition("[made_from]")[0])
    else:
        retrain(home, part)
    name, (messages,) = opened(home)
    assert name == "tiny" and messages.startswith(": the INT8 form") and "hotpath int8" in messages
    with refusal(BadNetwork, "other network", command="hotpath int8"):
        opened(home, "int8")
    assert opened(home, "fp32") == ("tiny", [])
    name_source(form, load_network(home / "tiny.toml").hashes())
    assert opened(home, "int8", cpu=PLAIN)[0] == "tiny-int8"


def test_the_check_of_a_network_tells_another_int8_form(home, capsys):
    networks_command.main(["check", str(home / "tiny.toml")])
    assert "INT8 form" not in capsys.readouterr().out
    retrain(home)
    assert networks_command.main(["check", str(home / "tiny.toml")]) == 2
    assert "tiny-int8.toml was made from other files" in capsys.readouterr().out


def opened(home, wanted="auto", cpu=VNNI, engine="onnxruntime"):
    """(name of the network that runs, the messages and why it has its precision)."""
    (home / "cpuinfo").write_text(cpu)
    messages = []
    made = precision.open_precision(
        Setup(
            load_network(home / "tiny.toml"),
            options=Options(engine=engine, precision=wanted, log=messages.append),
        )
    )
    made.search(made.exemplar())
    made.close()
    messages += [made.why] if made.why else []
    return made.network.name, [each for each in messages if "prepared " not in each]


@pytest.mark.parametrize(
    "cpu, name, why",
    [
        (VNNI, "tiny-int8", "since this processor has avx512_vnni"),
        (ARM, "tiny-int8", "since this processor has asimddp"),
        ("flags : fpu amx_int8 avx_vnni\n", "tiny-int8", "has amx_int8, avx_vnni"),
        (PLAIN, "tiny", "since this processor has no instructions for INT8"),
        ("", "tiny", "no instructions"),
    ],
)
def test_the_processors_instructions_decide_and_a_line_says_so(home, cpu, name, why):
    for _ in range(2):  # nothing is kept from one start to the next
        network, (messages,) = opened(home, cpu=cpu)
        assert network == name and why in messages
    setup = Setup(load_network(home / "tiny.toml"), options=Options(engine="onnxruntime"))
    assert precision.default_precision(setup) == ("int8" if name == "tiny-int8" else "fp32")


def test_no_clock_and_no_load_is_asked(home, monkeypatch):
    """A start on a busy machine takes the precision of an idle one."""
    slow = [0.0]

    def leap():
        slow[0] += 1000.0  # whatever is timed seems to take a quarter of an hour
        return slow[0]

    before = opened(home)
    for clock in ("perf_counter", "monotonic", "process_time"):
        monkeypatch.setattr("time." + clock, leap)
    assert opened(home) == before


def test_an_engine_that_computes_int8_in_floats_runs_fp32(home, monkeypatch):
    pytest.importorskip("openvino")
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    name, (messages,) = opened(home, cpu=ARM, engine="openvino")
    assert name == "tiny" and "openvino computes INT8 in floats" in messages
    assert opened(home, cpu=ARM)[0] == "tiny-int8"  # onnxruntime does not


def test_a_form_that_can_not_be_loaded_leaves_fp32_running(home):
    toml = home / "int8" / "tiny-int8.toml"
    toml.write_text(toml.read_text().replace(".onnx", "_that_is_missing.onnx"))
    name, messages = opened(home)
    assert name == "tiny" and len(messages) == 1
    assert messages[0].startswith(", since its INT8 form can't be loaded: ")


def test_a_precision_that_is_asked_for_runs_on_any_processor(home):
    assert opened(home, "int8", cpu=PLAIN) == ("tiny-int8", [])
    assert opened(home, "fp32", cpu=VNNI) == ("tiny", [])


def test_a_network_without_an_int8_form_runs_as_it_is(home):
    (home / "int8" / "tiny-int8.toml").unlink()
    assert opened(home) == ("tiny", [])
    with refusal(BadNetwork, "no INT8 form", command="hotpath int8 --network"):
        opened(home, "int8")
    with refusal(NoEngine, "unknown precision"):
        opened(home, "fp16")


@pytest.mark.parametrize("engine", engines.installed())
def test_a_tracker_takes_it(home, engine):
    tracker = load_tracker(home / "tiny.toml", engine=engine, precision="int8")
    assert tracker.name == "tiny-int8"
    tracker.close()


def test_int8_runs_where_it_is_computed_in_whole_numbers(home, monkeypatch):
    """On ARM OpenVINO computes INT8 in float32."""
    pytest.importorskip("openvino")
    network = load_network(home / "tiny.toml")
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    for wanted, name in (
        (Options(precision="fp32"), "openvino"),
        (Options(precision="int8"), "onnxruntime"),
        (Options(engine="openvino", precision="int8"), "openvino"),
    ):
        engine = precision.open_precision(Setup(network, options=wanted))
        assert engine.name == name
        engine.close()


@pytest.mark.parametrize(
    "machine, cpu, told", [("aarch64", ARM, 1), ("x86_64", PLAIN, 1), ("x86_64", VNNI, 0)]
)
def test_an_engine_that_gains_nothing_from_int8_says_so(home, monkeypatch, machine, cpu, told):
    pytest.importorskip("openvino")
    monkeypatch.setattr("platform.machine", lambda: machine)
    name, messages = opened(home, "int8", engine="openvino", cpu=cpu)
    assert name == "tiny-int8" and len(messages) == told
    for text in messages:
        assert "the engine onnxruntime" in text and "precision fp32" in text
    assert opened(home, "int8", engine="onnxruntime", cpu=cpu) == ("tiny-int8", [])
    assert opened(home, "fp32", engine="openvino") == ("tiny", [])
