"""Recipients who opted out, and from whom."""
