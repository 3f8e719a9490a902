"""Which codes came back, and the conversion of blocks of numbers."""
