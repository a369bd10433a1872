# Kria KV260. No board file is needed. The boot image of the PYNQ image sets up memory and pins of the PS, and
# an overlay that is loaded later does not change them. So the PS keeps Vivado's defaults, except for its
# ports and the clock of the fabric. The engine reaches the memory below 2 GiB, where PYNQ allocates.
set family zynqmp
set memory_bytes 0x80000000
set settings [list \
  CONFIG.PSU__PSS_REF_CLK__FREQMHZ 33.333 \
]
