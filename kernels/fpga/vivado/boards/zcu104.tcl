# ZCU104. No board file is needed: memory and pins of the PS are set up by the PYNQ image's own boot
# image, and an overlay, loaded later, does not change them, so the PS keeps Vivado's defaults but for
# its ports and the fabric's clock. Reached is the memory below 2 GiB, where PYNQ allocates.
set family zynqmp
set memory_bytes 0x80000000
set settings [list \
  CONFIG.PSU__PSS_REF_CLK__FREQMHZ 33.333 \
]
