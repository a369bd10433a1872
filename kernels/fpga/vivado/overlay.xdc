# The PS's clock constrains the whole fabric and no pin of the FPGA is used, so little is left.
# Smaller files load faster.
set_property BITSTREAM.GENERAL.COMPRESS TRUE [current_design]
