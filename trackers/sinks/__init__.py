"""Where runs can be sent: one file for each format."""
