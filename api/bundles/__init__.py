"""Event data: everything of a campaign in one ZIP archive, any part of which can be asked for again."""
