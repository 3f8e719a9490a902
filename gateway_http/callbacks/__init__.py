"""What carriers post to the gateway."""
