"""The page of a run: one HTML file that needs nothing else, made from committed artifacts only."""
