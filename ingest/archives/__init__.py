"""Archives: recognised by content, unpacked by a limited process of its own, sorted out by what they hold."""
