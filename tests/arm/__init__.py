"""The tests of the on-board code on ARM processors, emulated by QEMU (``python -m tests.arm``).

machines.toml   the machines: packages, wheels, cores, and which tests run there
machine.py      makes a machine's folder and runs commands in it
same_boxes.py   compares the boxes of a tracker there with those here
boxes.py        the tracker's side of that comparison; it runs on both
layers.py       compares an INT8 network there and here, layer by layer
count.py        counts the instructions of crop; frame_cost.py, frames.py those of a frame
count_fpga.py   counts those of an FPGA board's processor; see fpga_frames.py, replay.py
"""
