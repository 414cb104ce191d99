"""Aim's repositories, as a source of runs."""
