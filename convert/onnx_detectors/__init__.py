"""Face detectors that come as ONNX files: told apart by their structure, decoded in the graph."""
