"""`umbra solve`: where a recording points, by an index of the sky or by a catalogue of its field."""
