"""One module per subcommand of `stepscope`.

Each has `add_to(commands)`, which describes its arguments to argparse and names the function that runs it.
What only one of them needs and takes a second, such as Streamlit, is imported when it runs.
"""
