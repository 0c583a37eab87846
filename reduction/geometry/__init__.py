"""Where and when a shadow passes: predictions, the sky plane, stations, stars, codes of observatories."""
