"""How good a judge is, from what it says of labelled pairs."""
