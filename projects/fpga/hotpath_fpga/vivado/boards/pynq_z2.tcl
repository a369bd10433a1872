# PYNQ-Z2. Crystal, clocks and memory are those of the PYNQ image. Its boot image sets them up, and an
# overlay that is loaded later does not change them. Vivado needs the crystal to compute the divisors
# of the fabric's clock (IO PLL 1000 MHz / 8 = 125 MHz).
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
