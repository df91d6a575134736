"""HTML reports of a step: components, rendering, and the public names users import."""
