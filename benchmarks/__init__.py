"""Programs that measure the system as a whole; they are no tests and no part of the distribution."""
