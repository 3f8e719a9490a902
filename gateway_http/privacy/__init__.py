"""Privacy over REST."""
