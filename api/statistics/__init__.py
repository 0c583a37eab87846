"""What the archive holds, counted: as JSON, CSV and figures."""
