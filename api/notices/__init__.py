"""What people are told, and what they tell the people who run the service."""
