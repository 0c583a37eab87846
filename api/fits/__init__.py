"""Chords of a campaign, and the limb that is fitted to them."""
