"""What accounts hold, pay and owe."""
