"""The FSTF family of astronomical video: ADV versions 1 and 2, AAV versions 1 and 2.

Facts: H. Pavlov, "Astro Digital Video format", and the programs that write and read it (AdvLib, Tangra,
OccuRec).
"""
