"""Runs as windows of Visdom, on a server or in its files."""
