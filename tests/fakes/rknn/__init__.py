"""A stand-in for an RK3588: rknn-toolkit-lite2 over the simulator of Rockchip's toolkit."""
