"""Event files, as TensorBoard reads them, as a source of runs."""
