"""Still pictures as a recording: PNG, TIFF (also of many pages) and BMP, in natural order of their names.

Geometry is read and checked here before anything is allocated. Plain samples are taken from where they lie,
PNG is unpacked by a decoder of ours (Pillow would cut 16-bit colour to 8 bits), and what is left, compressed
TIFF and rare BMP, by tifffile and Pillow.
"""
