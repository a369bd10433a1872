"""A network's graphs: ONNX in, canonical networks and tables of ranges out. No board imports it."""

# Ends the name of a node that TensorRT runs in float32 where the rest is FP16.
IN_FLOAT32 = "/in-float32"
