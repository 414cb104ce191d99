"""Runs of other programs into a store."""
