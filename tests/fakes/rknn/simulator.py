"""Convert a model as the product does, then run it in the toolkit's simulator.

    python simulator.py PROGRAM REQUEST.json SOCKET

The toolkit's Python runs it. PROGRAM is ``rknn_convert.py``. Each message on SOCKET holds the
inputs, the answer the outputs, both as an .npz.
"""

import importlib.util
import io
import sys
from multiprocessing.connection import Client

import numpy as np


def main(program, request, socket):
    spec = importlib.util.spec_from_file_location("rknn_convert", program)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    tool = module.convert(request)
    assert tool.init_runtime() == 0
    with Client(socket, "AF_UNIX") as connection:
        connection.send_bytes(b"ready")
        while True:
            try:
                arrays = np.load(io.BytesIO(connection.recv_bytes()))
            except EOFError:
                return
            inputs = [arrays[name] for name in arrays.files]
            outputs = io.BytesIO()
            np.savez(outputs, *tool.inference(inputs=inputs, data_format=["nchw"] * len(inputs)))
            connection.send_bytes(outputs.getvalue())


if __name__ == "__main__":
    main(*sys.argv[1:])
