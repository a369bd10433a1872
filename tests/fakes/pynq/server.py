"""python -m tests.fakes.pynq.server BOARD OVERLAY.bit: a PYNQ.remote board on a free port.

It offers PYNQ's own services (``pynq.remote``) on ``design.sim.device``. It prints the port, and
runs until its standard input ends.
"""

import struct
import sys
import uuid
from concurrent import futures

import grpc
import numpy as np
from pynq.remote import buffer_pb2 as buffers
from pynq.remote import buffer_pb2_grpc, gpio_pb2_grpc, mmio_pb2_grpc, remote_device_pb2_grpc
from pynq.remote import mmio_pb2 as mmio
from pynq.remote import remote_device_pb2 as remote

from kernels.fpga.design.sim import device as simulation

MANAGER = "/sys/class/fpga_manager/fpga0/"
PIECE = 1 << 20  # bytes in a message


class Files(remote_device_pb2_grpc.RemoteDeviceServicer):
    """The board's files; writing the FPGA manager's ``firmware`` configures the fabric."""

    def __init__(self, board, cells):
        self._board, self._cells = board, cells
        self._files = {
            "/proc/version": f"Linux version 6.6 (fake) {board.arch}".encode(),
            "/proc/device-tree/chosen/pynq_board": b"Fake\0",
            MANAGER + "state": b"operating",
            MANAGER + "flags": b"0",
        }

    def existsfile(self, request, context):
        return remote.ExistsFileResponse(exists=request.file_path in self._files)

    def readfile(self, request, context):
        yield remote.ReadFileResponse(data=self._files.get(request.file_path, b""))

    def writefile(self, requests, context):
        data, path = b"", None
        for request in requests:
            path = request.file_path
            data += request.data
        self._files[path] = data
        if path == MANAGER + "firmware" and "/lib/firmware/" + data.decode() in self._files:
            self._board.configure(self._cells)
        return remote.WriteFileResponse()

    def set_bitstream_attrs(self, request, context):
        return remote.SetBitstreamAttrsResponse(status=True)


class Registers(mmio_pb2_grpc.MmioServicer):
    """Reads and writes of the board's address space."""

    def __init__(self, board):
        self._board, self._bases = board, {}

    def get_mmio(self, request, context):
        name = uuid.uuid4().hex
        self._bases[name] = request.base_addr
        return mmio.GetMmioResponse(status=True, mmio_id=name)

    def read(self, request, context):
        data = self._board.read_registers(self._bases[request.mmio_id] + request.offset, 4)
        return mmio.ReadResponse(status=True, data=struct.unpack("<I", data)[0])

    def write(self, request, context):
        self._board.write_registers(self._bases[request.mmio_id] + request.offset, request.data)
        return mmio.WriteResponse(status=True)


class Memory(buffer_pb2_grpc.RemoteBufferServicer):
    """Buffers: arrays of the board's processor, and the memory that holds them."""

    def __init__(self, board):
        self._board, self._buffers = board, {}

    def allocate(self, request, context):
        name = uuid.uuid4().hex
        self._buffers[name] = self._board.allocate((request.size,), "u1")
        return buffers.AllocateResponse(buffer_id=name)

    def write(self, requests, context):
        place = 0
        for request in requests:
            data = np.frombuffer(request.data, np.uint8)
            self._buffers[request.buffer_id][place : place + data.size] = data
            place += data.size
        return buffers.BufferWriteResponse()

    def read(self, request, context):
        data = self._buffers[request.buffer_id].tobytes()
        for place in range(0, len(data), PIECE):
            yield buffers.BufferReadResponse(data=data[place : place + PIECE])

    def flush(self, request, context):
        self._buffers[request.buffer_id].flush()
        return buffers.FlushResponse()

    def invalidate(self, request, context):
        self._buffers[request.buffer_id].invalidate()
        return buffers.InvalidateResponse()

    def freebuffer(self, request, context):
        self._buffers.pop(request.buffer_id, None)
        return buffers.FreeBufferResponse()

    def physical_address(self, request, context):
        address = self._buffers[request.buffer_id].device_address
        return buffers.AddressResponse(address=address)


def main(name, overlay):
    """Serve until standard input ends."""
    board, _ = simulation.open_board(name, "model")
    cells = board.get_bitfile_metadata(overlay).ip_dict
    server = grpc.server(futures.ThreadPoolExecutor(1))
    remote_device_pb2_grpc.add_RemoteDeviceServicer_to_server(Files(board, cells), server)
    mmio_pb2_grpc.add_MmioServicer_to_server(Registers(board), server)
    buffer_pb2_grpc.add_RemoteBufferServicer_to_server(Memory(board), server)
    gpio_pb2_grpc.add_GpioServicer_to_server(gpio_pb2_grpc.GpioServicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    sys.stdin.read()
    server.stop(None)


if __name__ == "__main__":
    main(*sys.argv[1:])
