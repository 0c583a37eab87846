"""The body's limb from the chords of a campaign."""
