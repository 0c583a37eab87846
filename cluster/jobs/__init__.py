"""The queue: what is to be done, who does it, what has become of it. The database holds the truth."""
