"""What several folders need and none owns: printing, amounts, instants, options, and calls of the services."""
