"""One module per subcommand of `stepscope`.

Each has `add_to(commands)`, which describes its arguments to argparse and names the function that runs it.
What a subcommand needs is imported when it runs, so that `stepscope --help` answers at once.
"""
