"""The tests of the on-board code on ARM processors, emulated by QEMU."""
