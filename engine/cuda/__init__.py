"""The GPU path: kernels, and how they are launched."""
