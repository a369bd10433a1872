"""Threads that share a frame all finish their part, none stays running, no error is lost."""

import gc
import os
import threading
import time

import pytest

from runtime.targets.threads import ThreadGroup

pytestmark = pytest.mark.pythons("threads and their end")


def test_all_parts_are_done_when_run_returns():
    done = []

    def part(name):
        return lambda frame: (time.sleep(0.002), done.append((name, frame)))

    group = ThreadGroup([part("a"), part("b"), part("c")])
    for frame in range(20):
        group.run(frame)
        assert sorted(done) == [("a", frame), ("b", frame), ("c", frame)]
        done.clear()


def test_each_part_keeps_its_thread_and_the_first_is_the_callers():
    seen = [set(), set()]
    group = ThreadGroup([lambda _, own=own: own.add(threading.get_ident()) for own in seen])
    for _ in range(10):
        group.run(None)
    assert seen[0] == {threading.get_ident()}
    assert len(seen[1]) == 1 and seen[0] != seen[1]


def test_parts_run_at_the_same_time():
    meet = threading.Barrier(3, timeout=10)
    ThreadGroup([lambda _: meet.wait()] * 3).run(None)


@pytest.mark.parametrize("failing", [(0,), (1,), (0, 2), (1, 2)])
def test_the_first_error_is_raised_after_all_have_ended(failing):
    ended = []

    def part(number):
        def job(frame):
            if frame == "bad" and number in failing:
                raise ValueError(number)
            time.sleep(0.005)
            ended.append(number)

        return job

    group = ThreadGroup([part(number) for number in range(3)])
    with pytest.raises(ValueError) as raised:
        group.run("bad")
    assert raised.value.args == (failing[0],)
    assert sorted(ended) == [number for number in range(3) if number not in failing]
    ended.clear()
    group.run("good")
    assert sorted(ended) == [0, 1, 2]


def test_threads_end_when_the_group_is_collected():
    before = set(threading.enumerate())
    group = ThreadGroup([print, lambda _: None, lambda _: None])
    own = set(threading.enumerate()) - before
    assert len(own) == 2
    del group
    gc.collect()
    for thread in own:
        thread.join(10)
        assert not thread.is_alive()


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="needs two cores to choose from",
)
def test_the_others_have_cores_apart_from_the_callers():
    seen = []
    group = ThreadGroup([lambda _: None, lambda _: seen.append(os.sched_getaffinity(0))])
    before = os.sched_getaffinity(0)
    try:
        for core in sorted(before)[:2]:
            os.sched_setaffinity(0, {core})
            group.run(None)
            assert len(seen[-1]) == 1 and core not in seen[-1]
    finally:
        os.sched_setaffinity(0, before)
        group.close()
