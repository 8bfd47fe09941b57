"""Makes the shipped ONNX face detectors of the packages that hold their weights."""
