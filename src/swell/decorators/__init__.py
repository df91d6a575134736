"""Step and flow decorators, one small file each."""
