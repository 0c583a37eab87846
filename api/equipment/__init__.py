"""What observers observe with, and from where."""
