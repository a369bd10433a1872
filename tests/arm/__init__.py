"""The tests of the on-board code on ARM processors, emulated by QEMU (``python -m tests.arm``)."""
