"""Each reader of foreign bytes has a limit: SECURITY.md's table, and a file that lies for each row.

A lying file is small and costs much: a library that reads it takes all memory, or never ends. The
reader must refuse it in a sentence, in little time and memory, before a library sees it.
"""

import contextlib
import io
import pathlib
import re
import socket
import threading
import time
import tracemalloc
import zipfile

import numpy as np
import pytest

from hotpath.kernels import toml
from hotpath.runtime import npz
from hotpath.runtime.errors import BadNetwork, BadSource, HotpathError
from hotpath.runtime.learner import strangers

SECURITY = pathlib.Path(__file__).resolve().parents[1] / "SECURITY.md"
SECONDS, MEGABYTES = 3.0, 64


def rows():
    """(reader, limit, lies) of each row of the table."""
    text = SECURITY.read_text(encoding="utf-8").split("## Budgets")[1]
    found = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", text, re.M)
    return [(reader, limit, re.findall(r"`([^`]+)`", lies)) for reader, limit, lies in found[1:]]


def header(shape, kind="|i1"):
    data = io.BytesIO()
    np.lib.format.write_array_header_1_0(data, dict(descr=kind, fortran_order=False, shape=shape))
    return data.getvalue()


def archive(path, parts):
    with zipfile.ZipFile(str(path), "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in parts:
            file.writestr(name + ".npy", data)
    return lambda: strangers.read(str(path))


def network(path, nodes, functions=()):
    """An ONNX file of some nodes."""
    onnx = pytest.importorskip("onnx")
    value = onnx.helper.make_tensor_value_info("x", 1, [1])
    end = onnx.helper.make_tensor_value_info(nodes[-1].output[0], 1, [1])
    graph = onnx.helper.make_graph(nodes, "g", [value], [end])
    opsets = [onnx.helper.make_opsetid("", 13), onnx.helper.make_opsetid("own", 1)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, functions=list(functions))
    path.write_bytes(model.SerializeToString())
    return loaded(path)


def loaded(path):
    from hotpath.graphs import models

    return lambda: models.read(path)


def onnx_node(kind, inputs, outputs, **values):
    return pytest.importorskip("onnx").helper.make_node(kind, inputs, outputs, **values)


def a_loop(folder, kind="Loop"):
    onnx = pytest.importorskip("onnx")
    body = onnx.helper.make_graph([onnx_node("Identity", ["x"], ["y"])], "b", [], [])
    inner = onnx.helper.make_graph([onnx_node(kind, ["x"], ["y"], body=body)], "c", [], [])
    nodes = [onnx_node("If", ["x"], ["z"], then_branch=inner, else_branch=inner)]
    return network(folder / "loop.onnx", nodes)


def nested_graphs(folder):
    onnx = pytest.importorskip("onnx")
    node = onnx_node("Identity", ["x"], ["y"])
    for _ in range(12):
        body = onnx.helper.make_graph([node], "b", [], [])
        node = onnx_node("If", ["x"], ["y"], then_branch=body, else_branch=body)
    return network(folder / "nested.onnx", [node])


def functions_that_double(folder):
    onnx = pytest.importorskip("onnx")
    opsets = [onnx.helper.make_opsetid("", 13), onnx.helper.make_opsetid("own", 1)]
    functions = []
    for n in range(40):
        kind = f"f{n + 1}" if n < 39 else "Identity"
        inner = [onnx_node(kind, ["x"], ["a"], domain="own" if n < 39 else "")]
        inner.append(onnx_node(kind, ["a"], ["y"], domain="own" if n < 39 else ""))
        functions.append(onnx.helper.make_function("own", f"f{n}", ["x"], ["y"], inner, opsets))
    return network(folder / "f.onnx", [onnx_node("f0", ["x"], ["y"], domain="own")], functions)


def many_nodes(folder):
    names = [f"n{n}" for n in range(30001)]
    nodes = [onnx_node("Identity", [a], [b]) for a, b in zip(["x", *names], names)]
    return network(folder / "many.onnx", nodes)


def a_large_file(folder):
    path = folder / "large.onnx"
    with open(str(path), "wb") as file:
        file.truncate(1 << 40)  # a sparse file
    return loaded(path)


def a_field_without_end(folder):
    path = folder / "cut.onnx"
    path.write_bytes(b"\x3a\xff\xff\xff\xff\x7f" + b"\0" * 20)
    return loaded(path)


def toml_of(folder, text):
    path = folder / "a.toml"
    path.write_text(text)
    return lambda: toml.read(path, BadNetwork)


@contextlib.contextmanager
def server_that_redirects(count):
    """(port, list of requests): the RTSP server of a port that sends each client in a circle."""
    asked = []

    def serve(connection):
        with connection:
            while connection.recv(4096):
                asked.append(1)
                place = f"Location: rtsp://127.0.0.1:{port}/{len(asked)}\r\n"
                is_end = len(asked) > count
                head = "RTSP/1.0 " + ("404 Not Found" if is_end else "302 Moved")
                connection.sendall(f"{head}\r\nCSeq: 1\r\n{place}\r\n".encode())

    def accept():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(made.accept()[0],), daemon=True).start()

    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        made.listen(8)
        port = made.getsockname()[1]
        threading.Thread(target=accept, daemon=True).start()
        yield port, asked
        made.shutdown(socket.SHUT_RDWR)


def a_circle(folder):
    from hotpath.video.cameras import Stream

    def follow():
        with server_that_redirects(10**6) as (port, asked):
            try:
                Stream(f"rtsp://127.0.0.1:{port}/").open()
            finally:
                assert len(asked) <= 12

    return follow


LIES = {
    "a key of 50,000 parts": lambda d: toml_of(d, ".".join("a" * 50000) + " = 1"),
    "a file of 16 MB": lambda d: toml_of(d, "#" * (1 << 24)),
    "brackets in brackets": lambda d: toml_of(d, "a = " + "[" * 50000),
    "a file without an end": lambda d: lambda: toml.read(pathlib.Path("/dev/zero"), BadNetwork),
    "a loop": a_loop,
    "a scan": lambda d: a_loop(d, "Scan"),
    "nested graphs": nested_graphs,
    "functions that double": functions_that_double,
    "30,000 nodes": many_nodes,
    "a terabyte": a_large_file,
    "a field without an end": a_field_without_end,
    "64 MB of zeros": lambda d: archive(
        d / "a.npz", [("rows", header((1 << 26, 32)) + b"\0" * 2**26)]
    ),
    "a shape of 2^40": lambda d: archive(
        d / "b.npz", [("rows", header((1 << 40,))), ("scale", header((1,)) + b"\0")]
    ),
    "an empty archive": lambda d: (
        (d / "c.npz").write_bytes(b""),
        lambda: strangers.read(str(d / "c.npz")),
    )[1],
    "Python objects": lambda d: archive(d / "d.npz", [("rows", header((1,), "|O") + b"\0" * 8)]),
    "redirects in a circle": a_circle,
}


def test_the_table_names_each_lie_once():
    names = [name for _, _, lies in rows() for name in lies]
    assert sorted(names) == sorted(LIES)


@pytest.mark.parametrize("lie", sorted(LIES))
def test_a_file_that_lies_is_refused_in_a_sentence_and_costs_little(tmp_path, lie):
    use = LIES[lie](tmp_path)
    with contextlib.suppress(HotpathError):  # imports are not the reader's cost
        use()
    tracemalloc.start()
    began = time.process_time()
    try:
        with pytest.raises(HotpathError) as caught:
            use()
        took, peak = time.process_time() - began, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(str(caught.value)) < 600 and "\n" not in str(caught.value)
    assert took < SECONDS and peak < MEGABYTES << 20, (took, peak)


def test_what_is_within_the_budget_is_read(tmp_path):
    np.savez_compressed(str(tmp_path / "a.npz"), rows=np.arange(6).reshape(2, 3), scale=np.ones(2))
    found = npz.read(str(tmp_path / "a.npz"))
    assert found["rows"].tolist() == [[0, 1, 2], [3, 4, 5]] and found["scale"].shape == (2,)
    assert toml_of(tmp_path, "a.b.c = [0.5, 1.5]")() == {"a": {"b": {"c": [0.5, 1.5]}}}


def test_few_redirects_are_followed():
    from hotpath.video import probe

    with server_that_redirects(5) as (port, asked):
        probe.check_redirects(f"rtsp://127.0.0.1:{port}/")
        assert len(asked) >= 6
    with server_that_redirects(30) as (port, _), pytest.raises(BadSource):
        probe.check_redirects(f"rtsp://127.0.0.1:{port}/")
