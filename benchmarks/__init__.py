"""How fast the engine is, measured: workloads, the pipeline of 2019 beside it, and reports."""
