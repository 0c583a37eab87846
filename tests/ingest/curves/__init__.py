"""Tests of light curves of other programs."""
