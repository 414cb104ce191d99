"""Where runs can be read from."""
