"""Runs as tables, in CSV or Parquet files, by project and run."""
