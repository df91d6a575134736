"""Facts on runs in a database."""
