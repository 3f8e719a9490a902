"""What callers can do with prices. Standard library and domain only."""
