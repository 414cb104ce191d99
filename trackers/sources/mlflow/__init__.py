"""MLflow's folders and databases, as a source of runs."""
