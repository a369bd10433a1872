"""What the command line says of its options, and of values that it can't take."""

import os
import re
import subprocess
import sys

import pytest

from hotpath import runtime
from hotpath.app import track_command as track
from hotpath.app.cli import option_parser
from hotpath.runtime.errors import BadOption
from hotpath.runtime.options import Options
from tests.support.streams.process import ROOT

pytestmark = pytest.mark.pythons("argparse writes help differently")


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--page-port", "70000"], "'70000' is not a whole number from 0 to 65535"),
        (["--trail", "50"], "unrecognized arguments: --trail"),
        (["--threads", "100000"], "'100000' is not a whole number from 1 to 1024"),
        (["--frames", "0"], "'0' is not a whole number from 1"),
        (["--fps", "-3"], "'-3' is not a number from 0.001 to 1000"),
        (["--fps", "fast"], "'fast' is not a number from 0.001"),
        (["--fps", "nan"], "'nan' is not a number from 0.001"),
        (["--depth", "8"], "'8' is not a whole number from 9 to 16"),
        (["--start", "1:x"], "'1:x' is not a time"),
        (["--start", "1e308"], "'1e308' is not a time"),
        (["--page-host", "0.0.0.0"], "--page-host needs --page;"),
        (["film", "177,97,35,37"], "if it is a box, write --box 177,97,35,37"),
        (["film", "177", "97", "35", "37"], "177 97 35 37: no such file; if it is a box, write"),
        (["177,", "97,", "35,", "37", "film"], "if it is a box, write --box 177,97,35,37"),
        (["film", "40%,30%,10%,20.5%"], "if it is a box, write --box 40%,30%,10%,20.5%"),
        (["--no-such"], "unrecognized arguments: --no-such"),
        (["--boxs=1,2,3,4"], "--boxs=1,2,3,4 (did you mean --box?)"),
        (["--frames", "0"], "'0' is not a whole number from 1;"),
        (["--target"], "unrecognized arguments: --target;"),
        (["--engine", "openvin"], "invalid choice: 'openvin' (did you mean openvino?);"),
        (["--config"], "expected one argument"),
        (["--video", "-film.mp4"], "write one that begins with - as --video=-VALUE;"),
        (["--results=a.csv", "--results=b.jsonl"], "--results: is given twice; give it once, as"),
        (["--class", "dog", "--class=cat"], "give it once, as --class NAME,NAME;"),
        (["--vid=a.mp4"], "unrecognized arguments: --vid=a.mp4 (did you mean --video?)"),
        (["--engine", "openvino", "--engine", "ncnn"], "--engine: is given twice; give it once"),
        (["--config", "absent.toml"], "absent.toml can't be read: No such file or directory;"),
    ],
)
def test_a_value_that_cannot_be_is_one_plain_sentence(capsys, arguments, words):
    try:
        code = track.main(arguments)
    except SystemExit as end:
        code = end.code
    assert code == 2
    messages = capsys.readouterr().err
    assert (
        words in messages and messages.count("\n") == 1 and messages.startswith("hotpath track: ")
    )


def test_a_box_with_blanks_is_named_before_anything_is_opened(capsys):
    assert track.main(["absent.mp4", "--network", "absent", "--box", "129", "80", "64", "78"]) == 2
    assert "--box 129: " in capsys.readouterr().err


def test_a_time_is_given_in_seconds_minutes_and_hours():
    for text, seconds in (("80", 80), ("1:20", 80), ("1:02:03.5", 3723.5)):
        assert option_parser.parse(["--start", text]).start == seconds


def test_a_source_needs_no_option_and_a_shell_may_list_pictures(tmp_path):
    for words in (["a.mp4"], ["--video", "a.mp4"], ["--quiet", "a.mp4", "--box", "1,2,3,4"]):
        assert option_parser.parse(words).video == "a.mp4"
    for words in (["1.jpg", "2.jpg"], ["--video", "1.jpg", "2.jpg"], ["--video=1.jpg", "2.jpg"]):
        assert option_parser.parse([*words, "--box", "-1,2,3,4"]).video == ["1.jpg", "2.jpg"]
    (tmp_path / "run.toml").write_text('video = "cam0"\n')
    assert option_parser.parse(["a.mp4", "--config", str(tmp_path / "run.toml")]).video == "a.mp4"


def test_a_file_gives_options_and_the_command_line_overrules_it(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text(
        'video = "cam0"\nfov = [62, 40]\nbox = [10, 20, 30, 40]\nstream = ["udp://a:1", "udp://b:2"]\n'
        "page = true\nquiet = false\nrecover = true\nthreads = 2\nfps = 12.5\n"
        'class = ["person", "dog"]\n'
    )
    found = option_parser.parse(["--threads", "3", "--no-recover", "--config", str(path)])
    assert (found.video, found.fov, found.box) == ("cam0", (62, 40), ["10,20,30,40"])
    assert found.stream == ["udp://a:1", "udp://b:2"] and found.fps == 12.5
    assert vars(found)["class"] == "person,dog"
    assert (found.page, found.quiet, found.recover, found.threads) == (True, False, False, 3)


@pytest.mark.parametrize(
    "line, told",
    [
        ("no_such = 1", "the key 'no_such' is not an option; `hotpath track --help all`"),
        ("page_host = 1", "'page_host' is not an option; did you mean page-host?"),
        ('config = "x"', "the key 'config' can't name another file; leave it out"),
        ("confg = 1", "the key 'confg' is not an option; `hotpath"),
        ("json = 1", "json must be true or false, not 1"),
        ('json = "yes"', "json must be true or false, not 'yes'"),
        ("no-recover = 0", "no-recover must be true or false, not 0"),
        ("stream-plain = 99", "stream-plain must be true or false, not 99"),
    ],
)
def test_a_line_of_a_file_that_cannot_be_is_named_with_its_file(tmp_path, line, told):
    path = tmp_path / "run.toml"
    path.write_text(line + "\n")
    with pytest.raises(BadOption) as refused:
        option_parser.parse(["--config", str(path)])
    assert str(refused.value).startswith(str(path)) and told in str(refused.value)


@pytest.mark.parametrize(
    "value, boxes",
    [
        ("[1, 2, 3, 4]", ["1,2,3,4"]),
        ('["40%", "30%", "10%", "20%"]', ["40%,30%,10%,20%"]),
        ('[180, 90, 60, "a"]', ["180,90,60,a"]),
        ("[[1, 2, 3, 4], [5, 6, 7, 8]]", ["1,2,3,4", "5,6,7,8"]),
        ('["1,2,3,4", "5 6 7 8"]', ["1,2,3,4", "5 6 7 8"]),
        ('[["40%", "30%", "10%", "20%"]]', ["40%,30%,10%,20%"]),
    ],
)
def test_a_list_in_a_file_is_one_box_or_several(tmp_path, value, boxes):
    (tmp_path / "run.toml").write_text(f"box = {value}\n")
    assert option_parser.parse(["--config", str(tmp_path / "run.toml")]).box == boxes


def test_names_of_a_config_are_utf_8_without_a_locale(tmp_path):
    program = (
        "import sys, os; from hotpath.app.cli import option_parser\n"
        "f = option_parser.parse(['--config', sys.argv[1]])\n"
        "for path in (f.video, f.results, f.save): open(os.path.realpath(path), 'w').close()"
    )
    names = ["prüfung.mp4", "résultats.csv", "映像.mp4"]
    lines = [f'{key} = "{name}"' for key, name in zip(("video", "results", "save"), names)]
    (tmp_path / "run.toml").write_bytes("\n".join(lines).encode("utf-8"))
    settings = dict(os.environ, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    settings["PYTHONPATH"] = str(ROOT)
    command = [sys.executable, "-c", program, "run.toml"]
    subprocess.run(command, cwd=str(tmp_path), env=settings, check=True)
    written = set(os.listdir(os.fsencode(str(tmp_path))))
    assert written == {b"run.toml", *(name.encode("utf-8") for name in names)}


def test_help_opens_with_the_commands_purpose_and_version(capsys):
    for words in (["--version"], ["--help", "all"]):
        with pytest.raises(SystemExit) as end:
            option_parser.parse(words)
        assert end.value.code == 0
    version, text = capsys.readouterr().out.split("\n", 1)
    assert version == f"hotpath-tracker {runtime.__version__}"
    assert text.split("\n\n")[1].startswith("Track one or several objects")
    assert "(default: ())" not in text
    assert "more than one decoder error" in " ".join(text.split())
    assert "what to track, and where:" in text and "page in the browser:" in text


def test_the_short_help_fits_on_a_page_and_the_long_has_the_rest(capsys):
    for words in (["--help"], ["--help", "all"], ["-h"]):
        with pytest.raises(SystemExit) as end:
            option_parser.parse(words)
        assert end.value.code == 0
        text = capsys.readouterr().out
        found = set(re.findall(r"^  (?:-h.*, )?(--[a-z-]+)", text, re.MULTILINE))
        common = 16 + sum(len(plug.common) for plug in option_parser.PLUGS)
        assert (len(found) == common) == (words[-1] != "all") and "--box" in found
        assert len(text.splitlines()) < 50 or words[-1] == "all"
        assert "[SOURCE] [OPTIONS]" in text


def test_what_is_said_of_the_tracker_reaches_it():
    messages = {
        "network": "nanotrack_v2",
        "engine": "onnxruntime",
        "precision": "int8",
        "networks_dir": "models",
        "threads": "2",
        "bundle": "engines/kestrel",
        "witness": "none",
    }
    arguments = ["--video", "cam0", "--recover"]
    for name, value in messages.items():
        arguments += ["--" + name.replace("_", "-"), value]
    network = option_parser.records_of(option_parser.parse(arguments), print).network
    changed = {
        name for name in Options._fields if getattr(network, name) != getattr(Options(), name)
    }
    assert changed == set(Options._fields)
    assert network.threads == 2 and network.recover is True


def test_each_part_of_the_program_gets_its_own_options(tmp_path):
    arguments = ["a.mp4", "--box", "1,2,30,40", "--page", "--page-port", "0", "--quiet"]
    arguments += ["--stream", "udp://127.0.0.1:5", "--save", "b.mp4"]
    (tmp_path / "run.toml").write_text("stream-kbps = 900\npage-fps = 9\n")
    arguments += ["--config", str(tmp_path / "run.toml")]
    run = option_parser.records_of(option_parser.parse(arguments), print)
    assert run.source.video == "a.mp4" and run.targets.box == ["1,2,30,40"]
    assert run.network.log is None and run.outputs.quiet
    links = run.links
    assert (links.page.page, links.page.port, links.page.fps) == (True, 0, 9)
    assert (links.stream.addresses, links.stream.kbps) == (["udp://127.0.0.1:5"], 900)
    assert links.selects and (links.save, links.results, links.video) == ("b.mp4", None, "a.mp4")
