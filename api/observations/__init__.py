"""What was observed: one report for each station of a campaign, and its files."""
