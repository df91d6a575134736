"""The terminal: the only room that prints and exits."""
