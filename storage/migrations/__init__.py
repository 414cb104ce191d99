"""Alembic's numbered steps from one schema to the next, run only by writers (see engine.py)."""

HEAD = "002"
"""The newest revision. Revisions are three digits, so that older and newer can be told apart."""
