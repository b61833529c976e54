"""How far a judge can be trusted: its agreement with people, its biases, and what is done when they are too large."""
