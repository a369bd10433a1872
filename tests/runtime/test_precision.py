"""INT8 is chosen automatically if the processor has instructions for it and it runs faster."""

import itertools
import json
import time

import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

import onnx

from hotpath.app.cli.networks import __main__ as networks_command
from hotpath.calib.trackers import int8_toml
from hotpath.deploy.doctor import __main__ as boards_command
from hotpath.runtime import BadNetwork, NoEngine, engines, load_tracker, precision
from hotpath.runtime.networks import load_network, sha256_of
from hotpath.runtime.plan import Plan
from tests.support import tiny

VNNI = "model name : one\nflags : fpu avx2 avx512f avx512_vnni\n"
PLAIN = "model name : two\nflags : fpu avx2 avx512f\n"
ARM = "Features : fp asimd asimddp\nCPU part : 0xd42\n"


@pytest.fixture
def home(tmp_path):
    """The tiny network, with a second copy in the folder ``int8`` that counts as its INT8 form."""
    folder = tmp_path / "int8"
    folder.mkdir()
    form = tiny.write_network(folder)
    form = form.rename(folder / "tiny-int8.toml")
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
    name, (said,) = opened(home)
    assert name == "tiny" and "tiny runs in fp32: the INT8 form" in said and "hotpath int8" in said
    with pytest.raises(BadNetwork, match="INT8 form .*tiny-int8.toml .*hotpath int8"):
        opened(home, "int8")
    with pytest.raises(BadNetwork, match="INT8 form .*tiny-int8.toml .*hotpath int8"):
        int8_toml(str(home / "tiny.toml"), str(home / "int8"))
    assert opened(home, "fp32") == ("tiny", [])
    name_source(form, load_network(home / "tiny.toml").hashes())
    assert opened(home, "int8", cpu=PLAIN)[0] == "tiny-int8"


def test_the_check_of_a_network_tells_an_int8_form_of_other_weights(home, capsys):
    networks_command.main(["check", str(home / "tiny.toml")])
    assert "INT8 form" not in capsys.readouterr().out
    retrain(home)
    assert networks_command.main(["check", str(home / "tiny.toml")]) == 2
    assert "tiny-int8.toml was made from other files" in capsys.readouterr().out


def opened(home, wanted="auto", cpu=VNNI, engine="onnxruntime", load="0.00"):
    """(name of the network that runs, the messages)."""
    (home / "cpuinfo").write_text(cpu)
    (home / "loadavg").write_text(load + " 0.00 0.00 1/100 1000\n")
    said = []
    made = precision.open_precision(
        Plan(
            network=load_network(home / "tiny.toml"),
            engine=engine,
            precision=wanted,
            log=said.append,
        ),
        measured=home / "cache" / "precision.json",
        cpuinfo=home / "cpuinfo",
        loadavg=home / "loadavg",
    )
    made.search(made.exemplar())
    made.close()
    return made.network.name, [each for each in said if "was made ready" not in each]


def measurements(home):
    return json.loads((home / "cache" / "precision.json").read_text())


def test_it_measures_once_and_keeps_to_what_was_faster(home):
    name, said = opened(home)
    (times,) = measurements(home).values()
    faster = "tiny-int8" if times["int8_ms"] < times["fp32_ms"] else "tiny"
    assert name == faster and len(said) == 1
    assert "so {} runs from now on".format("int8" if faster == "tiny-int8" else "fp32") in said[0]
    assert opened(home) == (name, [])


def test_the_kept_measurement_decides(home):
    opened(home)
    for int8_ms, name in ((0.5, "tiny-int8"), (2.0, "tiny")):
        kept = {"fp32_ms": 1.0, "int8_ms": int8_ms, "busy": 0.0}
        kept = dict.fromkeys(measurements(home), kept)
        (home / "cache" / "precision.json").write_text(json.dumps(kept))
        assert opened(home) == (name, [])


def test_a_measurement_on_a_busy_machine_is_made_again_at_the_next_start(home):
    assert "busy" in opened(home, load="999")[1][0]
    assert "from now on" in opened(home)[1][0]
    assert opened(home, load="999")[1] == []  # the one of the quiet machine counts


def test_two_measurements_on_a_busy_machine_count_if_they_agree(home):
    opened(home, load="999")
    kept = dict.fromkeys(measurements(home), {"fp32_ms": 1.0, "int8_ms": 2.0, "busy": 1.0})
    (home / "cache" / "precision.json").write_text(json.dumps(kept))
    name, (said,) = opened(home, load="999")
    assert ("from now on" in said) == (name == "tiny")
    assert ("measures again" in said) == (name == "tiny-int8")


def test_one_quiet_moment_of_each_engine_is_enough():
    class Engine:
        def __init__(self, times_ms):
            self.times_ms = itertools.cycle(times_ms)

        def exemplar(self):
            """Nothing."""

        def search(self, _):
            time.sleep(next(self.times_ms) / 1e3)

    # one of seven calls is not disturbed
    fp32, int8 = Engine([30, 40, 30, 35, 4, 30, 25]), Engine([1, 60, 50, 70, 40, 55, 60])
    fp32_ms, int8_ms = precision.measure((fp32, int8))
    assert 1 <= int8_ms < fp32_ms < 20


def test_boards_forget_clears_what_was_measured(home, monkeypatch, capsys):
    opened(home)
    monkeypatch.setattr(precision, "MEASURED", home / "cache" / "precision.json")
    monkeypatch.setattr(precision.forget, "__defaults__", (precision.MEASURED,))
    assert boards_command.main(["forget"]) == 0
    assert "removed" in capsys.readouterr().out and len(opened(home)[1]) == 1


def test_a_form_that_can_not_be_loaded_leaves_fp32_running(home):
    toml = home / "int8" / "tiny-int8.toml"
    toml.write_text(toml.read_text().replace(".onnx", "_that_is_missing.onnx"))
    name, said = opened(home)
    assert name == "tiny" and len(said) == 1
    assert said[0].startswith("tiny runs in fp32, since its INT8 form can't be loaded: ")
    assert not (home / "cache" / "precision.json").exists()


def test_another_processor_and_a_damaged_cache_are_measured_anew(home):
    opened(home)
    assert len(opened(home, cpu=VNNI.replace("one", "three"))[1]) == 1
    assert len(measurements(home)) == 2
    for text in ("", "{", "[1]", '{"x": 7}', '{"x": {"fp32_ms": "a"}}'):
        (home / "cache" / "precision.json").write_text(text)
        assert len(opened(home)[1]) == 1
        assert len(opened(home)[1]) == 0


def test_a_processor_without_the_instructions_runs_fp32_unless_int8_is_asked_for(home):
    assert opened(home, cpu=PLAIN) == ("tiny", [])
    assert opened(home, "int8", cpu=PLAIN) == ("tiny-int8", [])
    assert opened(home, "fp32", cpu=VNNI) == ("tiny", [])
    assert not (home / "cache").exists()
    assert precision.has_int8(VNNI) and precision.has_int8(ARM)
    assert not precision.has_int8(PLAIN) and not precision.has_int8("")


def test_a_network_without_an_int8_form_runs_as_it_is(home):
    (home / "int8" / "tiny-int8.toml").unlink()
    assert opened(home) == ("tiny", [])
    with pytest.raises(BadNetwork, match="INT8 form.*hotpath int8 --network .*tiny"):
        opened(home, "int8")
    with pytest.raises(NoEngine, match="'fp16'.*auto, fp32, int8.*--bundle"):
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
        (Plan(precision="fp32"), "openvino"),
        (Plan(precision="int8"), "onnxruntime"),
        (Plan(engine="openvino", precision="int8"), "openvino"),
    ):
        engine = precision.open_precision(wanted._replace(network=network))
        assert engine.name == name
        engine.close()


@pytest.mark.parametrize("machine, told", [("aarch64", 1), ("x86_64", 0)])
def test_an_engine_that_gains_nothing_from_int8_says_so(home, monkeypatch, machine, told):
    pytest.importorskip("openvino")
    monkeypatch.setattr("platform.machine", lambda: machine)
    name, said = opened(home, "int8", engine="openvino")
    assert name == "tiny-int8" and len(said) == told
    for text in said:
        assert "--engine onnxruntime" in text and "--precision fp32" in text
    assert opened(home, "int8", engine="onnxruntime") == ("tiny-int8", [])
    assert opened(home, "fp32", engine="openvino") == ("tiny", [])
