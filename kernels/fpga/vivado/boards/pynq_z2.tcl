# PYNQ-Z2. Crystal, clocks and memory as in the PYNQ image's own boot image, which sets them up and
# which an overlay, loaded later, does not change; Vivado needs the crystal to compute the divisors of
# the fabric's clock (IO PLL 1000 MHz / 10 = 100 MHz).
set family zynq7
set memory_bytes 0x20000000
set settings [list \
  CONFIG.PCW_CRYSTAL_PERIPHERAL_FREQMHZ 50 \
  CONFIG.PCW_APU_PERIPHERAL_FREQMHZ 650 \
  CONFIG.PCW_FCLK0_PERIPHERAL_CLKSRC {IO PLL} \
  CONFIG.PCW_UIPARAM_DDR_FREQ_MHZ 525 \
  CONFIG.PCW_UIPARAM_DDR_BUS_WIDTH {16 Bit} \
  CONFIG.PCW_UIPARAM_DDR_PARTNO {MT41K256M16 RE-125} \
]
