"""Texts of the kernels in the array API standard alone, batched over stars and frames.

They serve every library and device for which there is no compiled text, and are held in the tests to the
same results. No array is made here but from arrays at hand, or by `device.to_device`, so that all stay on
one device.
"""
