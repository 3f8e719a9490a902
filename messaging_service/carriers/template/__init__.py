"""What the carriers of every protocol share."""
