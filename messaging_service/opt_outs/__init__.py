"""Who wants no messages, and what phones write."""
