"""Small tools that scripts import beside their flow: processes, timing, requirement files."""
