"""What messaging knows of prices, and quotes."""
