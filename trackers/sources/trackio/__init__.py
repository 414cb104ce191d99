"""trackio's databases, as a source of runs."""
