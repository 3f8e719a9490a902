"""What accounts have, pay and owe."""
