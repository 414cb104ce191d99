"""Who may see the dashboard: one check in front of everything that its port serves."""
