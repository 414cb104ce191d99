"""What run_all.py and report.py are made of: runs read from a store, figures over seeds, tables of them."""
