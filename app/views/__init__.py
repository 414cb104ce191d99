"""Pure functions from data to figures, one file for each kind."""
