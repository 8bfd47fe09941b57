"""How well and how fast faces are followed: `python -m fer_edge.benchmarks.tracking`."""
