"""Months of messages: their partitions are made ahead, and removed once nothing waits in them."""
