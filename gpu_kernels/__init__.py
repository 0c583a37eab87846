"""Arrays in, arrays out: the numerical kernels of Umbra."""
