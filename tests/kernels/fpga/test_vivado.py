"""The overlay's Tcl script, run with stand-ins for Vivado's commands.

Vivado itself has never run it.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from kernels.fpga import design
from kernels.fpga.design import vivado
from kernels.fpga.design.sim import hwh

ROOT = pathlib.Path(__file__).resolve().parents[3]
FAKE = ROOT / "tests" / "fakes" / "vivado"
BOARDS = sorted(design.sizes())
SAYS = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "universal_newlines": True}

# Pins of the vendor's cells, named as in its manuals: clocks and resets that must be driven, and
# interfaces that must be connected. For the PS these are only the ones that its settings turn on.
CELLS = {
    "processing_system7:5.5": (
        {"M_AXI_GP0_ACLK", "S_AXI_HP0_ACLK"},
        {"M_AXI_GP0", "S_AXI_HP0", "DDR", "FIXED_IO"},
        {"FCLK_CLK0", "FCLK_RESET0_N"},
    ),
    "zynq_ultra_ps_e": (
        {"maxihpm0_fpd_aclk", "saxihp0_fpd_aclk"},
        {"M_AXI_HPM0_FPD", "S_AXI_HP0_FPD"},
        {"pl_clk0", "pl_resetn0"},
    ),
    "smartconnect": ({"aclk", "aresetn"}, {"S00_AXI", "M00_AXI"}, set()),
    "proc_sys_reset": (
        {"slowest_sync_clk", "ext_reset_in"},
        set(),
        {"peripheral_reset", "peripheral_aresetn"},
    ),
    "clk_wiz": ({"clk_in1"}, set(), {"clk_out1", "clk_out2", "locked"}),
    "hotpath_engine": ({"clk", "clk_fast", "rst"}, {"s_axil", "m_axi"}, set()),
}


def ports_of(path):
    """{name: (direction, width)} and names of parameters of a module's header."""
    text = re.sub(r"//[^\n]*|/\*.*?\*/|\(\*.*?\*\)", " ", path.read_text(), flags=re.S)
    header = text[text.index("module " + path.stem) :]
    header = header[: header.index(");")]
    ports = {
        name: (direction, re.sub(r"\s", "", width or "").replace("8*BUS_BYTES", "BUS_BYTES*8"))
        for direction, width, name in re.findall(
            r"\b(input|output)\s+(?:wire|logic|reg)\s*(\[[^\]]*\])?\s*(\w+)", header
        )
    }
    return ports, set(re.findall(r"\bparameter\s+(?:\w+\s+)*?(\w+)\s*=", header))


def need_tclsh():
    if shutil.which("tclsh") is None:
        pytest.skip("no tclsh (Debian: tcl)")


def run(folder, board, **more):
    """Run the Tcl script: (calls of Vivado's commands, the process)."""
    need_tclsh()
    arguments = vivado.command(board)
    for name, place in (("work", "work"), ("out", "out"), ("-log", "log")):
        arguments[arguments.index(name) + 1] = str(folder / place)
    calls = folder / "calls"
    environment = dict(os.environ, VIVADO_CALLS=str(calls), **more)
    done = subprocess.run([str(FAKE / "vivado")] + arguments[1:], env=environment, **SAYS)
    return [line.split("\x1f") for line in calls.read_text().splitlines()], done


@pytest.fixture(scope="module", params=BOARDS)
def built(request, tmp_path_factory):
    """(board, calls, {cell: its kind}) of a run that ends well."""
    calls, done = run(tmp_path_factory.mktemp(request.param), request.param)
    assert done.returncode == 0, done.stderr
    cells = {
        call[-1]: call[call.index("-vlnv" if "-vlnv" in call else "-reference") + 1].replace(
            "xilinx.com:ip:", ""
        )
        for call in calls
        if call[0] == "create_bd_cell"
    }
    return request.param, calls, cells


def set_on(calls, cell):
    """{property: value} that a cell was given."""
    return {
        call[1].replace("CONFIG.", ""): call[2]
        for call in calls
        if call[0] == "set_property" and call[-1] == cell
    }


def test_the_whole_rtl_is_built_for_speed_as_large_as_sizes_toml_says(built):
    board, calls, _ = built
    added = {pathlib.Path(call[-1]).name for call in calls if call[0] == "add_files"}
    assert {path.name for path in design.RTL.rglob("*.*")} <= added
    size, given = design.sizes()[board], set_on(calls, "engine")
    assert given == {name: str(size[name.lower()]) for name in given}
    assert set(given) == ports_of(design.RTL / "hotpath_engine.v")[1]
    strategies = {call[3]: call[2] for call in calls if call[:2] == ["set_property", "strategy"]}
    assert "PhysOpt" in strategies["impl_1"] and "Perf" in strategies["synth_1"]
    assert [call[1] for call in calls if call[0] == "launch_runs"] == ["synth_1", "impl_1"]


def test_every_clock_reset_and_interface_is_connected_once_to_a_pin_that_exists(built):
    board, calls, cells = built
    inputs, interfaces, outputs = (
        {cell + "/" + pin for cell, kind in cells.items() for pin in CELLS[kind][part]}
        for part in range(3)
    )
    if design.sizes()[board]["pumped"]:
        inputs.add("reset/dcm_locked")
    driven = [call[2] for call in calls if call[0] == "connect_bd_net"]
    assert sorted(driven) == sorted(inputs)
    assert {call[1] for call in calls if call[0] == "connect_bd_net"} <= outputs
    ends = [end for call in calls if call[0] == "connect_bd_intf_net" for end in call[1:]]
    outside = {call[-1] for call in calls if call[0] == "create_bd_intf_port"}
    assert sorted(ends) == sorted(interfaces | outside)


def test_both_clocks_of_pumped_multipliers_come_from_one_cell_of_the_fabric(built):
    """The PS's clocks have no fixed phase to one another."""
    board, calls, _ = built
    source = {call[2]: call[1] for call in calls if call[0] == "connect_bd_net"}
    slow, fast = source["engine/clk"], source["engine/clk_fast"]
    if not design.sizes()[board]["pumped"]:
        assert slow == fast
        return
    assert (slow, fast) == ("clocks/clk_out1", "clocks/clk_out2")
    given = set_on(calls, "clocks")
    slow, fast = (float(given[f"CLKOUT{number}_REQUESTED_OUT_FREQ"]) for number in (1, 2))
    assert fast == 2 * slow == 2 * design.sizes()[board]["assumed_clock_mhz"]


def test_addresses_widths_and_clocks_are_those_of_the_simulated_board(built):
    """PYNQ reads them from its .hwh."""
    board, calls, cells = built
    segments = [call for call in calls if call[0] == "assign_bd_address"]
    registers = next(call for call in segments if call[-1] == "engine/s_axil/reg0")
    family = hwh.family_of(design.parts()[board]["part"])
    assert int(registers[registers.index("-offset") + 1], 16) == hwh.ADDRESS[family]
    assert registers[registers.index("-range") + 1] == f"{hwh.RANGE // 1024}K"
    assert cells[hwh.CELL] == "hotpath_engine"
    names, of_ps = ("PCW_S_AXI_HP0_DATA_WIDTH", "PSU__SAXIGP2__DATA_WIDTH"), set_on(calls, "ps")
    (width,) = (int(of_ps[name]) for name in names if name in of_ps)
    assert width == 8 * design.sizes()[board]["bus_bytes"]
    assert hwh.PLL_MHZ[family] % design.sizes()[board]["assumed_clock_mhz"] == 0
    others = hwh.PROCESSORS[family]["others"]
    assert width in (others.get("PCW_S_AXI_HP0_DATA_WIDTH"), others.get("C_SAXIGP2_DATA_WIDTH"))


def test_the_wrapper_has_the_ports_of_the_engine_in_interfaces():
    wrapper, parameters = ports_of(design.RTL / "hotpath_engine.v")
    engine, engine_parameters = ports_of(design.RTL / "hp_engine.sv")
    assert parameters <= engine_parameters
    assert wrapper == engine
    text = (design.RTL / "hotpath_engine.v").read_text()
    assert {name for name in engine if f".{name}({name})" not in text} == set()
    named = re.findall(
        r'X_INTERFACE_INFO = "xilinx\.com:(?:interface|signal):\w+:1\.0 (\w+) (\w+)" \*\)'
        r"(?:\s*\(\*[^*]*\*\))?\s*(?:input|output)\s+wire\s*(?:\[[^\]]*\])?\s*(\w+)",
        text,
    )
    assert {port for _, _, port in named} == set(wrapper)
    for interface, signal, port in named:
        assert port in (interface, f"{interface}_{signal.lower()}")


@pytest.mark.parametrize("board", BOARDS)
def test_a_strict_reader_of_systemverilog_takes_the_whole_design(board):
    """Yosys and Verilator forgive more than Vivado does."""
    pyslang = pytest.importorskip("pyslang")
    size = design.sizes()[board]
    names = [str(path) for path in design.rtl_files() + design.rtl_files(".v")]
    generics = [
        "-G{}={}".format(name.upper(), json.dumps(size[name]).replace('"', '\\"'))
        for name in design.PARAMETERS
    ]
    driver = pyslang.driver.Driver()
    driver.addStandardArgs()
    words = ["slang", "-I", str(design.RTL), "--top", "hotpath_engine"] + generics + names
    assert driver.parseCommandLine(" ".join(words))
    assert driver.processOptions() and driver.parseAllSources()
    driver.reportCompilation(driver.createCompilation(), True)
    assert driver.reportDiagnostics(True)


@pytest.mark.parametrize(
    "problem, texts",
    [
        # a path that is too long may be one of the multipliers, which has half of a period
        ({"VIVADO_SLACK": "-0.001"}, ["Timing is not met", "-0.001", "125.0 MHz would hold"]),
        ({"VIVADO_SLACK": "-2.5"}, ["Timing is not met", "-2.5", "76.9 MHz would hold"]),
        ({"VIVADO_CLOCK": "214.3"}, ["sizes.toml"]),
        ({"VIVADO_STATUS": "ERROR"}, ["synth_1 ended"]),
    ],
)
def test_no_bitstream_is_written_when_timing_or_a_run_fails(tmp_path, problem, texts):
    _, done = run(tmp_path, "pynq_z2", **problem)
    assert done.returncode != 0 and all(text in done.stderr for text in texts)
    assert not list(tmp_path.glob("out/*.bit"))


def make(board, path, folder=ROOT, **more):
    """Run the command that makes an overlay."""
    command = [sys.executable, "-m", "kernels.fpga.design.vivado", board]
    environment = dict(os.environ, PATH=path, **more)
    return subprocess.run(command, cwd=str(folder), env=environment, **SAYS)


@pytest.mark.parametrize(
    "board, texts",
    [
        ("pynq_z2", ["`vivado`", "overlay.tcl", "part xc7z020clg400-1", "clock_mhz 125"]),
        ("jetson_nano", ["pynq_z2"]),
    ],
)
def test_without_vivado_or_fabric_one_sentence_says_what_to_do(tmp_path, board, texts):
    done = make(board, str(tmp_path))
    assert done.returncode == 2 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and all(text in done.stderr for text in texts)


def test_the_command_runs_vivado_and_says_where_the_overlay_is(tmp_path):
    need_tclsh()
    shutil.copytree(str(ROOT / "kernels"), str(tmp_path / "kernels"))
    for name in ("boards", "runtime"):
        (tmp_path / name).symlink_to(ROOT / name)
    path, calls = f"{FAKE}:{os.environ['PATH']}", str(tmp_path / "calls")
    done = make("zcu104", path, tmp_path, VIVADO_CALLS=calls)
    assert done.returncode == 0, done.stderr
    assert "engines/zcu104/overlay" in done.stdout
    overlay = tmp_path / "engines" / "zcu104" / "overlay"
    assert {path.name for path in overlay.iterdir()} >= {"hotpath.bit", "hotpath.hwh"}
    shutil.rmtree(str(overlay))
    done = make("zcu104", path, tmp_path, VIVADO_CALLS=calls, VIVADO_SLACK="-1")
    assert done.returncode == 2 and "Vivado ended with 1 for zcu104" in done.stderr
