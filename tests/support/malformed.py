"""Files and servers that lie: small, and a library that believes them takes all memory or time."""

import contextlib
import fractions
import http.server
import io
import socket
import socketserver
import struct
import threading
import zipfile
import zlib

import numpy as np
import pytest

from tests.support.ports import ThreadingHTTPServer

TYPES = {"parts": "multipart/x-mixed-replace; boundary=a", "picture": "image/png"}


def png(width, height, animated=False, rows=0):
    """A PNG of black rows, of which only some are there."""

    def chunk(name, data):
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(1 + width)) for _ in range(rows)) + packer.flush()
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    if animated:
        header += chunk(b"acTL", struct.pack(">II", 2, 0))
        header += chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, width, height, 0, 0, 1, 10, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def jpeg(width, height):
    frame = struct.pack(">HBHHB", 11, 8, height, width, 1) + bytes([1, 0x11, 0])
    scan = struct.pack(">HB", 8, 1) + bytes([1, 0, 0, 63, 0])
    return b"\xff\xd8\xff\xc0" + frame + b"\xff\xda" + scan + bytes(64) + b"\xff\xd9"


def bmp(width, height):
    sides = struct.pack("<III", 99, 0, 54) + struct.pack("<Iii", 40, width, -height)
    return b"BM" + sides + bytes(99)


def webp(kind, data):
    data = b"WEBP" + kind + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(data)) + data


def tiff(width, height, pages=1, tags=0):
    """A TIFF of grey pages, each with some more tags that mean nothing."""
    first = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1)]
    first += [(262, 3, 1, 1), (273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, height)]
    first += [(279, 4, 1, min(width * height, 64))]
    first += [(60000 + number % 5000, 3, 1, 0) for number in range(tags)]
    page = struct.pack("<H", len(first)) + b"".join(struct.pack("<HHII", *tag) for tag in first)
    ends = [8 + (len(page) + 4) * number for number in range(1, pages)]
    return b"II*\0\x08\0\0\0" + b"".join(page + struct.pack("<I", end) for end in [*ends, 0])


def film(packets, form="avi"):
    """A container of PNG pictures, of which the first tells the size of all."""
    av = pytest.importorskip("av")
    file = io.BytesIO()
    with av.open(file, "w", form) as container:
        stream = container.add_stream("png", rate=25)
        stream.height, stream.width = 24, 32
        stream.pix_fmt = "gray"
        for number, data in enumerate(packets):
            packet = av.Packet(data)
            packet.stream, packet.time_base = stream, fractions.Fraction(1, 25)
            packet.pts = packet.dts = number
            packet.is_keyframe = True
            container.mux(packet)
    return file.getvalue()


def part(data):
    return b"--a\r\n\r\n" + data + b"\r\n--a\r\n"


def node(kind, **values):
    return pytest.importorskip("onnx").helper.make_node(kind, ["x"], ["y"], **values)


def graph(*nodes):
    return pytest.importorskip("onnx").helper.make_graph(nodes, "g", [], [])


def network(*nodes, functions=()):
    helper = pytest.importorskip("onnx").helper
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("own", 1)]
    own = [helper.make_function("own", a, ["x"], ["y"], body, opsets) for a, body in functions]
    model = helper.make_model(graph(*nodes), opset_imports=opsets, functions=own)
    return model.SerializeToString()


def beside(*lengths, name="a"):
    """An ONNX file of weights that have so many bytes in a file beside it; None: all of it."""
    onnx = pytest.importorskip("onnx")
    model = onnx.ModelProto.FromString(network(node("Identity")))
    for number, length in enumerate(lengths):
        weight = model.graph.initializer.add(name=str(number), data_type=1, data_location=1)
        weight.dims.append(8)
        stated = {"location": name} if length is None else {"location": name, "length": length}
        for key, value in stated.items():
            weight.external_data.add(key=key, value=str(value))
    return model.SerializeToString()


def inside(kind, depth):
    """An ONNX file of a node in the graph of a node, and so on."""
    last = node(kind, body=graph(node("Identity")))
    for _ in range(depth):
        body = graph(last)
        last = node("If", then_branch=body, else_branch=body)
    return network(last)


def doubling(count):
    """An ONNX file of functions that call the next one twice."""
    names = [f"f{number}" for number in range(count)]
    functions = [(a, [node(b, domain="own")] * 2) for a, b in zip(names, names[1:])]
    functions.append((names[-1], [node("Identity")]))
    return network(node("f0", domain="own"), functions=functions)


def npz(shape, size, kind="|i1", arrays=1):
    """An archive of arrays that claim a shape, and have some bytes."""
    data, file = io.BytesIO(), io.BytesIO()
    np.lib.format.write_array_header_1_0(data, dict(descr=kind, fortran_order=False, shape=shape))
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(arrays):
            archive.writestr(f"{number or 'rows'}.npy", data.getvalue() + bytes(size))
    return file.getvalue()


@contextlib.contextmanager
def served(data, kind):
    """Address of a web server that answers all with some bytes."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            """Print no log."""

        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(data)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@contextlib.contextmanager
def sending(data):
    """Port of a server that sends some bytes to each client, whatever it says, then zeros."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            with contextlib.suppress(OSError):
                self.request.sendall(data)
                while True:  # until nobody reads any more
                    self.request.sendall(bytes(1 << 16))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@contextlib.contextmanager
def redirecting(count):
    """(address, what it is asked): an RTSP server that sends a client elsewhere so many times."""
    asked = []

    def serve(connection):
        with connection:
            while connection.recv(4096):
                asked.append(1)
                head = "RTSP/1.0 " + ("404 Not Found" if len(asked) > count else "302 Moved")
                place = f"Location: {address}{len(asked)}\r\n"
                connection.sendall(f"{head}\r\nCSeq: 1\r\n{place}\r\n".encode())

    def accept():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()

    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(8)
        address = f"rtsp://127.0.0.1:{server.getsockname()[1]}/"
        threading.Thread(target=accept, daemon=True).start()
        yield address, asked
        server.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def opened(folder, place, data):
    """(what a reader opens, its standard input): an address, a file (a length: sparse), or "-"."""
    if place == "rtsp":
        with redirecting(data) as (address, _):
            yield address, None
    elif place == "mqtt":
        with sending(data) as port:
            yield f"mqtt://127.0.0.1:{port}/home", None
    elif place in TYPES:
        with served(data, TYPES[place]) as address:
            yield address, None
    elif data is None:
        yield place, None
    else:
        path = str(folder / place)
        with open(path, "wb") as file:
            file.truncate(data) if isinstance(data, int) else file.write(data)
        with open(path, "rb") as file:
            yield ("-", file) if place == "-" else (path, None)


class Planted:
    """An object that a pickle makes by a call."""

    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call[0], self.call[1:]
