"""What people see: the command line, the server and the dashboard."""
