"""Visdom's environments, in files or on a running server, as a source of runs."""
