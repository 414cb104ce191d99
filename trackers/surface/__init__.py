"""Functions without a run in their arguments, and what scripts written for wandb expect of a run.

`import stepscope as wandb` runs a common script; docs/guide/wandb-style.md tells what differs.
"""
