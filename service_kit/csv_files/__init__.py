"""Files of comma-separated values, in one dialect."""
