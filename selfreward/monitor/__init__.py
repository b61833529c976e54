"""Decides from numbers: detector, controller, gate rules."""
