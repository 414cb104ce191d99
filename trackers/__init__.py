"""How values get in and out: runs, framework hooks, sinks and sources."""
