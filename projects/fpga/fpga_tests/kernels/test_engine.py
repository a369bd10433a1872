"""The whole engine's RTL: random programs against the NumPy definition, faults, and time."""

import numpy as np
import pytest

from fpga_tests.fpga_sizes import BYTES, each_size, engines
from fpga_tests.kernels.benches.machine_bench import BUNDLE, PLAIN, PROGRAM, WORK, Bench
from fpga_tests.kernels.benches.random_programs import Chains, random_program
from hotpath.kernels.fpga import tables
from hotpath_fpga.model import BASE, PARAMS_BYTES, NumpyMachine
from hotpath_fpga.sim import build

WHY = build.missing()
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))

REGISTERS, TARGETS, ERRORS = tables.REGISTERS, tables.TARGETS, tables.ERRORS


def assert_right(machine, seed=0, chains=2, convolutions=2):
    """Check that a random program writes on this machine what it writes on the definition."""
    results = []
    around = slice(WORK - 4096, WORK + (1 << 20))
    for each in (machine, NumpyMachine(machine.size, BYTES)):
        each.memory[around] = 0xEE
        bench = Chains(each)
        count = random_program(bench, np.random.default_rng(seed), chains, convolutions)
        assert bench.run(1_000_000) == tables.IS_DONE
        results.append(each.memory[around].copy())
    assert np.array_equal(*results), seed
    assert (results[0][:4096] == 0xEE).all() and (results[0][4096 + count :] == 0xEE).all()


def failure(status):
    """(busy, done, error, code, number) of STATUS."""
    return status & 1, status >> 1 & 1, status >> 2 & 1, status >> 8 & 15, status >> 16


# -- programs


@pytest.mark.parametrize("stalls", [0, 30])
@each_size
def test_random_programs_do_what_the_definition_does(name, stalls):
    for seed in range(stalls, stalls + 10):
        machine, _ = engines(name, stalls=stalls, seed=seed)
        assert_right(machine, seed, 1 + seed % 3, 1 + seed % 4)


@pytest.mark.parametrize(
    "memory",
    [
        {"latency": 0, "share": 1.0},
        {"latency": 200, "share": 0.3},
        {"bursts": 1},
        {"bursts": 2, "stalls": 20},
    ],
)
@each_size
def test_the_memory_changes_nothing_but_time(name, memory):
    machine, _ = engines(name, **memory)
    for seed in range(3):
        assert_right(machine, seed)


@pytest.mark.parametrize("first", [100, 128, 200, 254])
def test_a_convolution_may_begin_far_below_its_inputs_first_row(first):
    """Its padding is then negative and does not fit into 8 bits."""
    results = []
    for machine in engines():
        bench, rng = Bench(machine), np.random.default_rng(first)
        frame = rng.integers(0, 256, (255, 8, 3)).astype(np.uint8)
        bench.picture(frame, (0, 0, 8, 255), 255, (0, 0, 0))
        bench.load("PIXELS", rng.integers(-128, 128, 768).astype(np.int8))
        bench.load("WEIGHTS", rng.integers(-128, 128, 256).astype(np.int8))
        bench.load("PARAMS", np.zeros(PARAMS_BYTES, np.uint8))
        bench.crop(255, 8)
        fields = dict(PLAIN, in_row_pitch=8, in_block_pitch=8, in_height=255, in_width=8)
        fields.update(out_base=4096, out_row_pitch=8, out_height=255 - first, out_width=8)
        bench.add("CONV", pad_top=-first & 0xFFFF, **fields)
        bench.store(4096, 8, 255 - first, 8)
        assert bench.run() == tables.IS_DONE
        results.append(bench.result(255 - first, 8))
    assert results[0].any() and np.array_equal(*results)


def test_loads_of_any_length_reach_their_place():
    """They start at any multiple of 16, may cross a 4 KiB boundary, and may have length zero."""
    machine, _ = engines(stalls=10)
    rng = np.random.default_rng(1)
    pixels = rng.integers(-128, 128, 768).astype(np.int8)
    bench = Bench(machine)
    at = 4096 - 16 * 5
    machine.memory[BUNDLE + at : BUNDLE + at + 768] = pixels.view(np.uint8)
    cuts = [0, 1, 1, 4, 5, 21, 21, 38, 48]
    for first, last in zip(cuts, cuts[1:]):
        place = {"target": TARGETS["PIXELS"], "offset": at + first * 16, "beat": first}
        bench.add("LOAD", bytes=(last - first) * 16, **place)
    frame = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    bench.picture(frame, (0, 0, 16, 16), 16, (0, 0, 0))
    bench.crop(16)
    bench.store(0, 16, 16, 16)
    assert bench.run() == tables.IS_DONE
    made = bench.result(16, 16).reshape(256, 16)
    assert np.array_equal(made[:, :3], pixels.reshape(3, 256).T)
    assert not made[:, 3:].any()


# -- registers


@each_size
def test_registers_read_back_and_say_what_was_built(name):
    writable = {place for name, place in REGISTERS.items() if tables.ACCESS[name] == "rw"}
    for machine in engines(name):
        for place in writable | {REGISTERS["ID"]}:
            machine.write(place, 0x12345678 + place)
        assert all(machine.read(place) == 0x12345678 + place for place in writable)
        assert machine.read(REGISTERS["ID"]) == tables.MAGIC
        assert machine.read(REGISTERS["SIZE"]) == tables.size_register(machine.size)
        for place in (REGISTERS["STATUS"], REGISTERS["CONTROL"], 0x40, 0x200):
            assert machine.read(place) == 0


def test_registers_take_single_bytes():
    machine, _ = engines(stalls=30)
    machine.write(REGISTERS["STRIDE"], 0x11223344)
    machine.write(REGISTERS["STRIDE"], 0x55AB6677, strobes=0b0100)
    assert machine.read(REGISTERS["STRIDE"]) == 0x11AB3344
    machine.write(REGISTERS["CONTROL"], tables.START, strobes=0b1110)
    machine.write(REGISTERS["ID"], 0)
    assert machine.read(REGISTERS["ID"]) == tables.MAGIC
    assert machine.read(REGISTERS["STATUS"]) == 0


def test_counters_and_trace_count_the_last_program():
    machine, model = engines()
    for seed in (3, 4):
        for each in (model, machine):
            bench = Chains(each)
            count = random_program(bench, np.random.default_rng(seed))
            assert bench.run() == tables.IS_DONE
            assert each.read(REGISTERS["WRITTEN"]) == count // machine.size["bus_bytes"]
        assert machine.read(REGISTERS["BUSY"]) == model.read(REGISTERS["BUSY"])
        cycles = machine.read(REGISTERS["CYCLES"])
        trace = machine.trace
        assert sorted(command.number for command in trace) == list(range(len(bench.commands) - 1))
        assert all(0 < command.start < command.end <= cycles + 8 for command in trace)
        steps = {number: steps for number, _, steps in model.trace}
        assert all(command.busy == steps[command.number] for command in trace)


# -- faults


def two_loads_and_a_crop(bench):
    bench.load("PIXELS", np.zeros(768, np.int8))
    bench.picture(np.zeros((40, 50, 3), np.uint8), (0, 0, 40, 40), 20, (0, 0, 0))
    bench.crop(20)
    bench.store(0, 20, 20, 20)


def start(machine):
    """Start that program; returns its bench."""
    bench = Bench(machine)
    two_loads_and_a_crop(bench)
    bench.start()
    return bench


@pytest.mark.parametrize("where, number", [("load", 0), ("crop", 3), ("command", 2), ("store", 4)])
@pytest.mark.parametrize("stalls", [0, 30])
def test_an_error_of_the_memory_is_told_with_its_command(where, number, stalls):
    machine, _ = engines(stalls=stalls)
    start(machine)
    frame, program = machine.read(REGISTERS["FRAME"]), BASE + PROGRAM + 64 * number
    places = {"load": BASE + BUNDLE + 40, "crop": frame + 500, "command": program + 20}
    kind = "write" if where == "store" else "read"
    machine.fault(kind, places.get(where, BASE + WORK + 16 * 399))
    assert machine.run(100_000)
    status = machine.read(REGISTERS["STATUS"])
    assert failure(status) == (0, 0, 1, ERRORS[kind.upper()], number)
    machine.fault(None)
    assert_right(machine)


@pytest.mark.parametrize("target, kind, number", [("REGION0", "READ", 0), ("REGION1", "WRITE", 4)])
def test_addresses_where_no_memory_is_are_errors(target, kind, number):
    for machine in engines():
        start(machine).register(target, 0x90000000)
        assert machine.run(100_000)
        status = machine.read(REGISTERS["STATUS"])
        assert failure(status) == (0, 0, 1, ERRORS[kind], number)
        assert_right(machine)


@pytest.mark.parametrize(
    "command",
    [
        tables.pack("LOAD", target=6, bytes=16),
        tables.pack("LOAD", region=3, bytes=16),
        tables.pack("STORE", region=7, rows=1, width=1),
        bytes(64),
        b"\x06" + bytes(63),
        b"\xff" * 64,
    ],
)
def test_an_unknown_command_is_an_error_after_those_before_it(command):
    machines = engines()
    for machine in machines:
        bench = Bench(machine)
        two_loads_and_a_crop(bench)
        bench.commands.append(command)
        bench.add("END")
        assert failure(bench.run(100_000)) == (0, 0, 1, ERRORS["COMMAND"], 5)
        assert len(machine.trace) == 5
    assert all(entry.end for entry in machines[0].trace)
    for machine in machines:
        assert_right(machine)


def test_a_start_while_a_program_runs_changes_nothing():
    machine, _ = engines()
    cycles = []
    for starts in (1, 2):
        start(machine)
        machine.run(300)
        for _ in range(starts - 1):
            machine.write(REGISTERS["CONTROL"], tables.START)
        assert machine.run(100_000) and machine.read(REGISTERS["STATUS"]) == tables.IS_DONE
        cycles.append(machine.read(REGISTERS["CYCLES"]))
    assert abs(cycles[1] - cycles[0]) < 50, "it was counted from the second start on"


def test_a_program_at_the_end_of_memory_is_no_error():
    """Commands are prefetched, but words after the END do not matter."""
    machine, _ = engines()
    program = tables.pack("END")
    machine.memory[-64:] = np.frombuffer(program, np.uint8)
    machine.write(REGISTERS["PROGRAM"], BASE + BYTES - 64)
    machine.write(REGISTERS["CONTROL"], tables.START)
    assert machine.run(10_000)
    assert machine.read(REGISTERS["STATUS"]) == tables.IS_DONE


def test_a_wait_that_nobody_ends_lasts_until_it_is_stopped():
    for machine in engines():
        bench = Bench(machine)
        bench.add("LOAD", wait_conv=1, bytes=16)
        bench.start()
        assert not machine.run(20_000)
        assert machine.read(REGISTERS["STATUS"]) == tables.IS_BUSY
        bench.register("CONTROL", tables.STOP)
        assert machine.run(100)
        assert machine.read(REGISTERS["STATUS"]) == 0
        assert_right(machine)


@pytest.mark.parametrize("stalls", [0, 30])
def test_after_a_stop_at_any_time_the_next_program_is_right(stalls):
    machine, _ = engines(stalls=stalls)
    rng = np.random.default_rng(stalls)
    for turn in range(25):
        bench = Chains(machine)
        random_program(bench, np.random.default_rng(turn))
        bench.start()
        stopped = not machine.run(int(rng.integers(0, 2500)))
        bench.register("CONTROL", tables.STOP)
        assert machine.run(5000)
        assert machine.read(REGISTERS["STATUS"]) == (0 if stopped else tables.IS_DONE)
        if turn % 5 == 0:
            assert_right(machine, turn + 1)


@pytest.mark.parametrize("after", [30, 300, 700, 1500])
def test_a_memory_that_answers_late_is_waited_for_after_a_stop(after):
    """Bursts in flight can't be cancelled: the engine is busy until they end, then it works."""
    machine, _ = engines()
    bench = start(machine)
    machine.run(after)
    machine.fault("hang")
    assert not machine.run(30_000)
    assert machine.read(REGISTERS["STATUS"]) == tables.IS_BUSY
    bench.register("CONTROL", tables.STOP)
    assert not machine.run(1000)
    machine.fault(None)
    assert machine.run(5000)
    assert machine.read(REGISTERS["STATUS"]) == 0
    assert_right(machine)


# -- time


@each_size
def test_loads_come_at_nearly_the_rate_of_memory(name):
    machine, _ = engines(name)
    bench = Bench(machine)
    for _ in range(8):
        bench.commands.append(tables.pack("LOAD", bytes=1 << 14))
    bench.commands.append(tables.pack("END", wait_load=8))
    bench.start()
    assert machine.run(100_000)
    beats = (8 << 14) / machine.size["bus_bytes"]
    cycles = machine.read(REGISTERS["CYCLES"])
    assert beats / machine.size["ddr_share"] <= cycles < 1.05 * beats / machine.size["ddr_share"]
