"""Plain-Python twins of the kernels: the test oracle, and the fallback where nothing could be compiled."""
