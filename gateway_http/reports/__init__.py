"""What messages cost, by groups."""
