"""One tracker belongs to one thread at a time, and to one process; it says so."""

import copy
import itertools
import multiprocessing
import pickle
import threading

import numpy as np
import pytest

from hotpath.runtime import load_targets, load_tracker
from hotpath.runtime.errors import NotReady
from hotpath.runtime.tracker.one_thread import OneThread
from hotpath.runtime.types import Box, Track
from tests.support import tiny


@pytest.fixture
def network(tmp_path):
    return str(tiny.write_network(tmp_path))


def overlapping(device, update, monkeypatch):
    """What a second thread gets while the first is in ``update``."""
    inside, may_go = threading.Event(), threading.Event()
    look = device.run

    def waits(frame, looks):
        inside.set()
        assert may_go.wait(60)
        return look(frame, looks)

    monkeypatch.setattr(device, "run", waits)
    frame = np.zeros((120, 160, 3), np.uint8)
    first = threading.Thread(target=update, args=(frame,))
    first.start()
    assert inside.wait(60)
    try:
        with pytest.raises(NotReady, match="another thread"):
            update(frame)
    finally:
        may_go.set()
        first.join()
    update(frame)  # afterwards all is well


def test_a_second_thread_on_a_tracker_is_refused(network, monkeypatch):
    with load_tracker(network=network) as tracker:
        tracker.init(np.zeros((120, 160, 3), np.uint8), (40, 40, 30, 30))
        overlapping(tracker.device, tracker.update, monkeypatch)


@pytest.mark.parametrize("count", [1, 2])
def test_a_second_thread_on_several_targets_is_refused(network, monkeypatch, count):
    targets = load_targets(network=network)
    try:
        for n in range(count):
            targets.add(np.zeros((120, 160, 3), np.uint8), (40 + n, 40, 30, 30))
        overlapping(targets.device, targets.update, monkeypatch)
    finally:
        targets.close()


@pytest.mark.parametrize("load", [load_tracker, load_targets])
def test_what_cannot_be_copied_or_sent_says_what_to_do_instead(network, load):
    with load(network=network) as tracker:
        for way in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match=r"load_tracker\(\) in each process"):
                way(tracker)
        with pytest.raises(TypeError, match="load_targets"):
            multiprocessing.get_context("spawn").Process(target=print, args=(tracker,)).start()


def in_child(work):
    """What ``work`` returns in a process that is forked now, or the error's class and sentence."""
    ours, theirs = multiprocessing.Pipe()

    def run():
        try:
            theirs.send(work())
        except Exception as error:
            theirs.send(f"{type(error).__name__}: {error}")

    child = multiprocessing.get_context("fork").Process(target=run)
    child.start()
    try:
        assert ours.poll(60), "the child hangs"
        return ours.recv()
    finally:
        child.kill()
        child.join()


@pytest.mark.parametrize("frames, threads, witness", itertools.product((0, 1), (1, 2), (0, 1)))
def test_a_forked_process_follows_or_says_what_to_do(network, frames, threads, witness):
    pictures, boxes = tiny.film(4)
    networks = {"network": "kestrel_small", "witness": "kestrel_fast"}
    with load_tracker(
        **(networks if witness else {"network": network}), threads=threads
    ) as tracker:
        tracker.init(pictures[0], boxes[0])
        for picture in pictures[1 : 1 + frames]:
            tracker.update(picture)

        def follow():
            tracker.init(pictures[0], boxes[0])
            return [tracker.update(picture).box for picture in pictures[1:]][-1]

        answer = in_child(follow)
        if frames and threads > 1 and witness:
            assert answer.startswith("NotReady: ") and "load_tracker in each process" in answer
        else:
            assert answer == follow()


@pytest.mark.parametrize("witness", ["none", "kestrel_fast"])
def test_a_forked_process_can_close_the_tracker_and_so_can_its_parent(witness):
    pictures, boxes = tiny.film(2)
    with load_tracker("kestrel_small", witness=witness, threads=2) as tracker:
        tracker.init(pictures[0], boxes[0])
        tracker.update(pictures[1])  # the libraries have begun their threads
        assert in_child(lambda: tracker.close() or "closed") == "closed"
        tracker.update(pictures[1])


@pytest.mark.parametrize("call", ["init", "update"])
def test_a_process_that_is_forked_inside_a_frame_does_not_wait_for_it(network, monkeypatch, call):
    inside, may_go, frame = threading.Event(), threading.Event(), np.zeros((120, 160, 3), np.uint8)
    with load_tracker(network=network) as tracker:
        tracker.init(frame, (40, 40, 30, 30))
        run = tracker.device.run

        def waits(*values):
            inside.set()
            assert may_go.wait(60)
            return run(*values)

        monkeypatch.setattr(tracker.device, "run", waits)
        first = threading.Thread(target=tracker.update, args=(frame,))
        first.start()
        assert inside.wait(60)
        try:
            arguments = [frame, (40, 40, 30, 30)][: 1 + (call == "init")]
            answer = in_child(lambda: getattr(tracker, call)(*arguments))
        finally:
            may_go.set()
            first.join()
    assert "load_tracker in each process" in answer


def test_a_detector_in_the_background_is_not_waited_for_in_a_forked_process():
    pool = OneThread()
    assert in_child(lambda: pool.submit(int).result()) == 0
    assert pool.submit(int).result() == 0
    for call in (pool.check, lambda: pool.submit(int)):
        assert "load_tracker in each process" in in_child(call)
    pool.shutdown()


def test_a_track_can_be_sent():
    track = Track(Box(1, 2, 3, 4), 0.5, velocity=(1.0, 2.0), presence=0.75)
    assert pickle.loads(pickle.dumps(track)) == track == copy.deepcopy(track)


def test_a_camera_in_each_thread_gets_the_boxes_of_one_thread(network):
    pictures, boxes = tiny.film(12)

    def follow(told):
        with load_tracker(network=network) as tracker:
            tracker.init(pictures[0], boxes[0])
            told.extend(tracker.update(picture).box for picture in pictures[1:])

    answers = [[] for _ in range(4)]
    threads = [threading.Thread(target=follow, args=(told,)) for told in answers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wanted = []
    follow(wanted)
    assert len(wanted) == 11 and answers == [wanted] * 4
