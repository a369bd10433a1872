"""What is fitted off the board: training, calibration, quantisation. Python 3.10+."""
