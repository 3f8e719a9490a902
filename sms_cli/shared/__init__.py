"""What several folders need and none owns: the terminal, amounts, instants, options, calls and their failures."""
