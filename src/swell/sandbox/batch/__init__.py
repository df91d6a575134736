"""The Batch service itself: what is known of its behaviour, as a machine that knows no clock."""
