"""Who wants no messages, from whom."""
