"""Reads what a run committed."""
