"""CPU texts of the kernels, compiled by numba."""
