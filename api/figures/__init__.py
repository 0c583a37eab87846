"""Figures of a campaign's limb that its team made elsewhere, and uploads."""
