"""Events of a light curve: searched for, fitted, and said with their errors."""
