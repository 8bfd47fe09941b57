"""ONNX to TensorRT engines."""
