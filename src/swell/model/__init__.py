"""Records that the floors hand to each other: data only, no I/O, no clock."""
