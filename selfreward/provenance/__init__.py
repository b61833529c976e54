"""Where the rows of a run come from, what became of every candidate, and what a kept row cost. Reads, never writes."""
