"""``make test-all`` tells what became of each part, and fails where one failed."""

import sys

from hotpath_release.whole import write


def test_each_part_is_told_and_a_failed_one_ends_no_other(tmp_path):
    codes = {"a": "print('== 3 passed in 1.2s ==')", "b": "raise SystemExit(3)", "c": ""}
    parts = {name: [sys.executable, "-c", code] for name, code in codes.items()}
    assert write(parts, tmp_path / "tests.md") == 1
    page = (tmp_path / "tests.md").read_text()
    assert page.splitlines()[2] == "2 of 3 parts passed."
    rows = [line for line in page.splitlines() if line.startswith("| ")][1:]
    assert [row.split(" | ")[1::2] for row in rows] == [
        ["passed", "3 passed |"],
        ["failed (3)", "nothing |"],
        ["passed", "nothing |"],
    ]
    assert write({"a": parts["a"]}, tmp_path / "tests.md") == 0
