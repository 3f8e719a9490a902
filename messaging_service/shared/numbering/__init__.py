"""Phone numbers and destinations, by the library of numbering plans."""
