"""The folders that W&B keeps offline, as a source of runs."""
