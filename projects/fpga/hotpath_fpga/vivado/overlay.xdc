# The clock of the PS constrains the whole fabric, and no pin of the FPGA is used.
# A compressed bitstream loads faster.
set_property BITSTREAM.GENERAL.COMPRESS TRUE [current_design]
