"""A drop-in for torch.utils.tensorboard.SummaryWriter: change the import, keep the program.

from stepscope.trackers.summary_writer import SummaryWriter
"""

from .file_writer import FileWriter
from .writer import SummaryWriter

__all__ = ["FileWriter", "SummaryWriter"]
