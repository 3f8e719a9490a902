"""What one SMS unit costs: record and withdraw prices, list them, resolve one."""
