"""What the command line says of its options, and of values that it can't take."""

import pytest

from runtime.cli import options
from runtime.options import Options, given_in

pytestmark = pytest.mark.pythons("argparse writes help differently")


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--page-port", "70000"], "'70000' is not a whole number from 0 to 65535"),
        (["--page-fps", "0"], "'0' is not a whole number from 1 to 240"),
        (["--threads", "many"], "'many' is not a whole number from 1"),
        (["--frames", "0"], "'0' is not a whole number from 1"),
        (["--fps", "-3"], "'-3' is not a number above 0"),
        (["--fps", "nan"], "'nan' is not a number above 0"),
        (["--depth", "8"], "'8' is not a whole number from 9 to 16"),
    ],
)
def test_a_value_that_cannot_be_is_one_plain_sentence(capsys, arguments, words):
    with pytest.raises(SystemExit) as end:
        options.parse(arguments)
    assert end.value.code == 2
    assert words in capsys.readouterr().err


def test_help_opens_with_what_the_command_does(capsys):
    with pytest.raises(SystemExit):
        options.parse(["--help"])
    text = capsys.readouterr().out
    assert text.split("\n\n")[1].startswith("Follow one or several objects")
    assert "what to track, and where:" in text and "page in the browser:" in text


def test_what_is_said_of_the_tracker_reaches_it():
    said = {
        "network": "nanotrack_v2",
        "engine": "onnxruntime",
        "precision": "int8",
        "networks_dir": "models",
        "threads": "2",
        "bundle": "engines/kestrel",
        "pipeline": "2",
        "board": "pynq_z2",
        "simulate": "model",
        "budget": "400",
    }
    arguments = ["--video", "cam0", "--recover", "--online"]
    for name, value in said.items():
        arguments += ["--" + name.replace("_", "-"), value]
    given = given_in(options.parse(arguments))
    assert set(given) == set(Options._fields) - {"log"}
    assert given["budget_ms"] == 400 and given["threads"] == 2 and given["recover"] is True
