"""Engines out of ONNX files, and engines that run."""
