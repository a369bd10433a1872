"""Loading a network: which arguments are taken, and what it says about them."""

import os

import pytest

from runtime import load_targets, load_tracker
from runtime.errors import NoEngine
from tests.support import tiny


@pytest.mark.parametrize("load", (load_tracker, load_targets))
def test_more_threads_than_cores_are_not_used(tmp_path, load):
    toml, said = tiny.write_network(tmp_path), []
    cores = len(os.sched_getaffinity(0))
    with_too_many = load(toml, engine="onnxruntime", threads=1000, log=said.append)
    assert with_too_many.engine.threads == cores
    assert any(line.startswith("1000 threads: this computer lends") for line in said)
    with_too_many.close()
    said.clear()
    load(toml, engine="onnxruntime", threads=1, log=said.append).close()
    assert not any("threads" in line for line in said)


@pytest.mark.parametrize("threads", (0, -1, 1.5, "2"))
def test_threads_that_are_no_number_above_zero_are_refused(tmp_path, threads):
    with pytest.raises(NoEngine, match="threads must be a whole number above 0"):
        load_tracker(tiny.write_network(tmp_path), threads=threads)


@pytest.mark.parametrize("budget_ms", (-1, float("nan"), float("inf")))
def test_a_budget_that_is_no_time_is_refused(tmp_path, budget_ms):
    with pytest.raises(NoEngine, match="budget_ms must be a number of milliseconds, 0 or more"):
        load_tracker(tiny.write_network(tmp_path), engine="onnxruntime", budget_ms=budget_ms)
