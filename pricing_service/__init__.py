"""What one SMS unit costs, for whom, and since when."""
