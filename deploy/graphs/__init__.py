# Ends the name of a node that TensorRT runs in float32 where the rest is FP16.
IN_FLOAT32 = "/in-float32"
