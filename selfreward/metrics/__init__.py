"""Pure functions from answers to numbers: diversity, sharpening, intervals."""
