"""The committed resource counts are those of this RTL, and are within each FPGA's budget."""

import pytest

import hotpath_fpga as design
from hotpath import boards
from hotpath_fpga import page, resources, synthesis
from tests.support.errors import refusal

BOARDS = sorted(design.sizes())
RESULTS = resources.results()
AGAIN = "; run `python -m hotpath_fpga.resources`"


@pytest.mark.parametrize("board", BOARDS)
def test_the_cells_were_counted_on_this_rtl(board):
    assert resources.is_fresh(board, RESULTS[board]), AGAIN


@pytest.mark.parametrize("board", BOARDS)
def test_the_engine_fits_its_board_with_two_products_in_each_dsp(board):
    """Each lane makes 256 products a cycle in 128 DSPs."""
    size = design.sizes()[board]
    assert design.parts()[board]["title"] == boards.load_board(board).title
    assert resources.over_budget(board, RESULTS[board]) == []
    array = 128 * size["lanes"]
    assert array <= RESULTS[board]["total"]["dsp"] < array + 64


def test_the_page_of_results_says_what_the_table_says():
    assert page.part("resources") == resources.table_of_page(RESULTS), str(page.PATH) + AGAIN


def test_a_part_of_the_page_is_replaced_and_the_rest_stays(tmp_path, monkeypatch):
    path = tmp_path / "page.md"
    path.write_text("before\n<!-- a -->\nold\n<!-- end a -->\nafter <!-- b -->\n")
    monkeypatch.setattr(page, "PATH", path)
    assert page.write("a", "new\nlines\n") and not page.write("a", "new\nlines\n")
    assert path.read_text().startswith("before\n<!-- a -->\nnew\nlines\n<!-- end a -->\nafter")
    with refusal(page.NoPart, "part"):
        page.write("b", "text\n")


def test_a_comment_does_not_make_the_table_stale(tmp_path, monkeypatch):
    source = tmp_path / "engine.sv"
    monkeypatch.setattr(design, "RTL", tmp_path)
    source.write_text("module engine; // one\nendmodule\n")
    first = synthesis.fingerprint("pynq_z2")
    source.write_text("/* two */ module engine;\n\nendmodule\n")
    assert synthesis.fingerprint("pynq_z2") == first
    source.write_text("module engine; wire a;\nendmodule\n")
    assert synthesis.fingerprint("pynq_z2") != first


def test_cells_are_counted_by_kind_and_unknown_ones_are_refused():
    cells = {"LUT6": 5, "RAM64M": 6, "DSP48E1": 3, "FDRE": 42, "RAMB18E1": 3, "CARRY4": 9}
    total = {"dsp": 3, "luts": 5 + 6 * 4, "flip_flops": 42, "bram36": 1.5, "uram": 0}
    assert resources.count({**cells, "$paramod\\hp_fetch\\BUS=8": 1, "hp_dispatch": 1}) == total
    with refusal(synthesis.NoSynthesis, "unknown cell"):
        resources.count({"MYSTERY": 1})


def test_a_board_that_is_too_small_is_named():
    total = dict.fromkeys(resources.KINDS, 0)
    found = {"levels": resources.LEVELS, "total": dict(total, dsp=220)}
    assert resources.over_budget("pynq_z2", found) == []
    found = {"levels": resources.LEVELS + 1, "total": dict(total, dsp=221)}
    first, second = resources.over_budget("pynq_z2", found)
    assert "pynq_z2" in first and "221 dsp of 220" in first and "levels" in second


def test_a_carry_chain_is_one_level_and_a_register_begins_anew():
    def cell(kind, read, made):
        directions = {"I": "input", "O": "output"}
        pins = {"I": read, "O": made}
        return {"type": kind, "connections": pins, "port_directions": directions}

    cells = {
        "last": cell("LUT2", [6], [7]),
        "first": cell("LUT6", [1, "0"], [2]),
        "register": cell("FDRE", [7], [1]),
        "low": cell("CARRY4", [2], [3]),
        "high": cell("CARRY4", [3], [6]),
    }
    assert resources.levels(cells) == 3


def test_the_page_of_fpga_boards_says_what_the_tables_say():
    """Each board has a row: figures of the page of results, FPGA shares of resources.toml."""
    cycles = page.part("cycles")
    answer = page.PATH.read_text(encoding="utf-8").split("\n\n")[1]
    boards_page = (design.ROOT / "docs" / "fpga.md").read_text(encoding="utf-8")
    for board, size in design.sizes().items():
        there, taken = design.parts()[board], RESULTS[board]["total"]
        start = f"| {there['title']} | typical |"
        (row,) = (line for line in cycles.splitlines() if line.startswith(start))
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        shares = [f"{taken[k] / there[k]:.0%}" for k in ("dsp", "luts", "bram36")]
        messages = [there["title"], size["lanes"], cells[4], cells[7]]
        assert "| " + " | ".join(map(str, messages + shares)) + " |" in boards_page
        assert f"{cells[4]} cycles on a {there['title']}" in answer
