"""How varied answers are, and how sure a comparison of two policies is."""
