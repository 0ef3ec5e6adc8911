"""Compiled kernels: hashes, structures, pickers. Each has a plain twin of the same name in `lbalgo.reference`."""
