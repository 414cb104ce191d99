"""Visdom itself: a server of its own, filled with the chosen runs."""
