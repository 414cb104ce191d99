"""Models as graphs, whichever framework they are from: read, and laid side by side."""
