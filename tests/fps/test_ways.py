"""`tests.fps ways` times every way of several targets and marks the one that the runtime takes."""

from tests.fps import __main__ as program
from tests.fps import ways
from tests.support import tiny


def test_each_way_is_timed_and_one_is_the_runtimes(tmp_path, capsys):
    toml = tiny.write_network(tmp_path)
    rows = ways.measure(toml, "fp32", 1, [1, 2], 10, engine="openvino")
    assert [(row["targets"], row["way"]) for row in rows] == [
        (1, "in turn"),
        (2, "in turn"),
        (2, "batch"),
    ]
    assert [row["way"] for row in rows if row["chosen"]] == ["in turn", "batch"]
    assert all(row["ms"] > 0 and row["cpu_ms"] > 0 for row in rows)
    arguments = ["ways", "--networks", str(toml), "--precision", "fp32", "--cores", "1"]
    assert program.main(arguments + ["--counts", "2", "--frames", "10"]) == 0
    assert "batch" in capsys.readouterr().out
