"""The class that programs import: numbers, histograms, and what holds it all together."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import numpy as np

from ..media import Table, Text
from ..run import Run
from .charts import Charts
from .file_writer import FileWriter
from .media import Media
from .numbers import as_number, as_numpy, histogram, raw_histogram
from .target import Target, beside, default_log_dir

_TENSOR_BYTES = 1 << 31


class SummaryWriter(Media, Charts, Target):
    """A drop-in for torch.utils.tensorboard.SummaryWriter that writes into a Stepscope run.

    Arguments and errors are the original's. Without `global_step`, where the original puts every value at
    step 0, the values of a tag count up from 0. What goes wrong in the store never reaches the program.
    """

    def __init__(
        self,
        log_dir: Any = None,
        comment: str = "",
        purge_step: int | None = None,
        max_queue: int = 10,
        flush_secs: int = 120,
        filename_suffix: str = "",
        *,
        run: Run | None = None,
        event_files: bool = False,
    ) -> None:
        """Begin a run, or write to one.

        Args:
            log_dir: names the run, and is made for what programs keep there; runs/<time>_<host> if left out.
            comment: comes behind the name when `log_dir` is left out.
            purge_step: go on with the newest run of this `log_dir`, from this step.
            max_queue: for event files.
            flush_secs: for event files, in seconds.
            filename_suffix: for event files.
            run: from stepscope.init; `close` leaves it open. Left out, the writer has a run of its own.
            event_files: whether to write event files into `log_dir` as well, by the original.

        Raises:
            BadInput: `run` is no run.
        """
        super().__init__(log_dir or default_log_dir(comment), run, purge_step)
        self.purge_step = purge_step
        self.max_queue, self.flush_secs, self.filename_suffix = max_queue, flush_secs, filename_suffix
        self.file_writer: FileWriter | None = None
        if event_files:
            from ..pytorch.event_files import event_writer  # noqa: PLC0415 - loads torch and tensorboard

            self.event_files = event_writer(self.log_dir, purge_step, max_queue, flush_secs, filename_suffix)
        self._get_file_writer()

    @functools.cached_property
    def default_bins(self) -> list[float]:
        """The edges that the original's event files have for bins="tensorflow"."""
        edges = [1e-12]
        while edges[-1] * 1.1 < 1e20:
            edges.append(edges[-1] * 1.1)
        return [-edge for edge in reversed(edges)] + [0.0] + edges

    @property
    def all_writers(self) -> dict[str, FileWriter] | None:
        """The file writer by its folder; None once closed."""
        return None if self.file_writer is None else {self.file_writer.get_logdir(): self.file_writer}

    def get_logdir(self) -> Any:
        """Return the folder that the run is named after."""
        return self.log_dir

    @beside
    def add_scalar(
        self,
        tag: str,
        scalar_value: Any,
        global_step: Any = None,
        walltime: float | None = None,
        new_style: bool = False,  # noqa: ARG002 - a form of event files
        double_precision: bool = False,  # noqa: ARG002 - numbers are always kept so
    ) -> None:
        """Add a number; a tensor on a device is read later, without waiting for it.

        Raises:
            AssertionError, NotImplementedError, ValueError: the value is not one number.
        """
        self.put(tag, as_number(scalar_value), global_step, walltime)

    @beside
    def add_scalars(
        self,
        main_tag: str,
        tag_scalar_dict: Mapping[str, Any],
        global_step: Any = None,
        walltime: float | None = None,
    ) -> None:
        """Add several numbers as lines of one chart: series `main_tag`, told apart by the context "line"."""
        for tag, value in tag_scalar_dict.items():
            self.put(main_tag, as_number(value), global_step, walltime, {"line": tag})

    @beside
    def add_tensor(
        self, tag: str, tensor: Any, global_step: Any = None, walltime: float | None = None
    ) -> None:
        """Add the numbers of a tensor as a table: a row for each vector along the last dimension.

        Raises:
            AttributeError: it is no tensor.
            ValueError: it has 2 GiB or more.
        """
        if tensor.numel() * tensor.itemsize >= _TENSOR_BYTES:
            raise ValueError("tensor is bigger than protocol buffer's hard limit of 2GB in size")
        self.put(tag, _as_table(as_numpy(tensor)), global_step, walltime)

    @beside
    def add_histogram(
        self,
        tag: str,
        values: Any,
        global_step: Any = None,
        bins: Any = "tensorflow",
        walltime: float | None = None,
        max_bins: int | None = None,
    ) -> None:
        """Add a distribution. With the default bins, the writer's thread bins it, on Stepscope's own grid.

        Raises:
            ValueError: there are no values, or none lies within `bins`.
        """
        self.put(tag, histogram(values, bins, max_bins), global_step, walltime)

    @beside
    def add_histogram_raw(
        self,
        tag: str,
        min: float,
        max: float,
        num: float,
        sum: float,
        sum_squares: float,
        bucket_limits: Sequence[float],
        bucket_counts: Sequence[float],
        global_step: Any = None,
        walltime: float | None = None,
    ) -> None:
        """Add a distribution by its buckets' upper limits and counts.

        Raises:
            ValueError: there are not as many limits as counts.
        """
        if len(bucket_limits) != len(bucket_counts):
            raise ValueError("len(bucket_limits) != len(bucket_counts), see the document.")
        made = raw_histogram(min, max, num, sum, sum_squares, bucket_limits, bucket_counts)
        self.put(tag, made, global_step, walltime)

    @beside
    def add_text(
        self, tag: str, text_string: str, global_step: Any = None, walltime: float | None = None
    ) -> None:
        """Add a text in markdown. Raises AttributeError when it is none."""
        text_string.encode  # noqa: B018 - as the original, which encodes it
        self.put(tag, Text(text_string), global_step, walltime)

    @beside
    def add_hparams(
        self,
        hparam_dict: dict[str, Any],
        metric_dict: dict[str, Any],
        hparam_domain_discrete: dict[str, list[Any]] | None = None,
        run_name: str | None = None,
        global_step: Any = None,
    ) -> None:
        """Add hyperparameters to the run's config, metrics to its summary and as numbers.

        Where the original makes a run of its own for each call, they belong to this one.

        Raises:
            TypeError, ValueError: as the original's.
        """
        self.put_hparams(hparam_dict, metric_dict, hparam_domain_discrete, run_name, global_step)

    def close(self) -> None:
        """Store what is left and finish the writer's own run; what is added later resumes it."""
        self._close(None)

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        """Close; when the block raised, the writer's own run has failed."""
        self._close(exc_val)

    def _close(self, error: BaseException | None) -> None:
        self.file_writer = None
        self.end(error)

    def _get_file_writer(self) -> FileWriter:
        if self.file_writer is None:
            self.file_writer = FileWriter(self)
        return self.file_writer


def _as_table(array: np.ndarray[Any, Any]) -> Table:
    """Return rows along the last dimension; of more than two, the indices of the others come first."""
    rows = array.reshape(-1, array.shape[-1] if array.ndim else 1)
    leading = array.shape[:-1] if array.ndim > 2 else ()
    names = [f"index {number}" for number in range(len(leading))] + [str(n) for n in range(rows.shape[1])]
    places = np.ndindex(*leading) if leading else ((),) * len(rows)
    return Table(names, [[*place, *row] for place, row in zip(places, rows.tolist(), strict=True)])
