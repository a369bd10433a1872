"""The page of measured figures: a program writes its part, and leaves the rest."""

from hotpath_fpga import page
from tests.support.errors import refusal


def test_a_part_of_the_page_is_replaced_and_the_rest_stays(tmp_path, monkeypatch):
    path = tmp_path / "page.md"
    path.write_text("before\n<!-- a -->\nold\n<!-- end a -->\nafter <!-- b -->\n")
    monkeypatch.setattr(page, "PATH", path)
    assert page.write("a", "new\nlines\n") and not page.write("a", "new\nlines\n")
    assert path.read_text().startswith("before\n<!-- a -->\nnew\nlines\n<!-- end a -->\nafter")
    with refusal(page.NoPart, "part"):
        page.write("b", "text\n")
