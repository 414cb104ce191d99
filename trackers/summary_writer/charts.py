"""The part of SummaryWriter that adds what has a structure: graphs, curves, meshes, hyperparameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

from ..media import Embedding, Graph, HParams, Mesh, PrCurve, Text
from .hparams import checked
from .numbers import as_numpy
from .target import Target, beside

_LAYOUT_TAG = "custom_scalars__config__"
_MOST_THRESHOLDS = 127


class Charts(Target):
    """Adds graphs, embeddings, curves, layouts, meshes and hyperparameters."""

    @beside
    def add_graph(
        self,
        model: Any,
        input_to_model: Any = None,
        verbose: bool = False,
        use_strict_trace: bool = True,  # noqa: ARG002 - of the trace for event files
    ) -> None:
        """Add a model's graph, found as TorchTracker finds it, without a trace where that can be.

        Args:
            model: a torch.nn.Module.
            input_to_model: what its forward takes; a tuple or list for several arguments. Without it, only
                the modules are found.
            verbose: whether to print the operations.
            use_strict_trace: for event files.
        """
        from ..pytorch.graph import capture_graph  # noqa: PLC0415 - loads torch, which a model has loaded

        several = isinstance(input_to_model, tuple | list)
        args = cast("Sequence[Any]", input_to_model) if several else (input_to_model,)
        graph = capture_graph(model, () if input_to_model is None else args)
        if verbose:
            print(
                *(f"{node.node_id} = {node.op}({', '.join(node.inputs)})" for node in graph.nodes), sep="\n"
            )
        self.put("model", Graph(graph), 0)

    @beside
    def add_onnx_graph(self, prototxt: Any) -> None:
        """Add the graph of an ONNX file.

        Raises:
            ImportError: the onnx package is missing.
            OSError: the file cannot be read.
        """
        from ..onnx_graph import read_onnx_graph  # noqa: PLC0415 - loads onnx

        self.put("model", Graph(read_onnx_graph(prototxt)), 0)

    @beside
    def add_embedding(
        self,
        mat: Any,
        metadata: Sequence[Any] | None = None,
        label_img: Any = None,
        global_step: Any = None,
        tag: str = "default",
        metadata_header: Sequence[str] | None = None,
    ) -> None:
        """Add vectors (n, d) with labels and pictures (n, channels, height, width).

        Raises:
            AssertionError: labels, pictures and vectors are not as many, or `mat` has not two dimensions.
            NotImplementedError: it is neither tensor nor array.
        """
        vectors = as_numpy(mat)
        if metadata is not None and vectors.shape[0] != len(metadata):
            raise AssertionError("#labels should equal with #data points")
        if metadata is not None and metadata_header and len(metadata_header) != len(metadata[0]):
            raise AssertionError("len of header must be equal to the number of columns in metadata")
        if label_img is not None and vectors.shape[0] != label_img.shape[0]:
            raise AssertionError("#images should equal with #data points")
        if vectors.ndim != 2:
            raise AssertionError("mat should be 2D, where mat.size(0) is the number of data points")
        self.put(tag, Embedding(vectors, metadata, label_img, metadata_header or None), global_step)

    @beside
    def add_pr_curve(
        self,
        tag: str,
        labels: Any,
        predictions: Any,
        global_step: Any = None,
        num_thresholds: int = 127,
        weights: Any = None,
        walltime: float | None = None,
    ) -> None:
        """Add a precision-recall curve of labels (n,), 0 or 1, and predictions (n,) from 0 to 1.

        Predictions outside of that do not count.
        """
        truth, scores = as_numpy(labels).reshape(-1), as_numpy(predictions).reshape(-1)
        # The original takes one weight for all as well.
        each = np.broadcast_to(1.0 if weights is None else as_numpy(weights).reshape(-1), truth.shape)
        inside = (scores >= 0) & (scores <= 1)
        curve = PrCurve(
            truth[inside],
            scores[inside],
            thresholds=min(num_thresholds, _MOST_THRESHOLDS),
            weights=each[inside],
        )
        self.put(tag, curve, global_step, walltime)

    @beside
    def add_pr_curve_raw(
        self,
        tag: str,
        true_positive_counts: Any,
        false_positive_counts: Any,
        true_negative_counts: Any,
        false_negative_counts: Any,
        precision: Any,
        recall: Any,
        global_step: Any = None,
        num_thresholds: int = 127,  # noqa: ARG002 - the counts tell
        weights: Any = None,  # noqa: ARG002 - the original ignores it too
        walltime: float | None = None,
    ) -> None:
        """Add a precision-recall curve by its counts at each threshold, all of shape (thresholds,)."""
        counts = (true_positive_counts, false_positive_counts, true_negative_counts, false_negative_counts)
        self.put(tag, PrCurve.from_counts(*counts, precision, recall), global_step, walltime)

    @beside
    def add_custom_scalars_multilinechart(
        self, tags: Sequence[str], category: str = "default", title: str = "untitled"
    ) -> None:
        """Note which tags belong on one chart."""
        self._put_layout({category: {title: ["Multiline", tags]}})

    @beside
    def add_custom_scalars_marginchart(
        self, tags: Sequence[str], category: str = "default", title: str = "untitled"
    ) -> None:
        """Note a chart of a value with its lower and upper bound.

        Raises:
            AssertionError: these are not 3 tags.
        """
        if len(tags) != 3:
            raise AssertionError(f"Expected 3 tags, got {len(tags)}.")
        self._put_layout({category: {title: ["Margin", tags]}})

    @beside
    def add_custom_scalars(self, layout: Mapping[str, Mapping[str, Sequence[Any]]]) -> None:
        """Note a layout: {category: {title: ["Multiline" or "Margin", tags]}}, kept as a table in markdown.

        Raises:
            AssertionError: a margin chart has not 3 tags.
        """
        self._put_layout(layout)

    @beside
    def add_mesh(
        self,
        tag: str,
        vertices: Any,
        colors: Any = None,
        faces: Any = None,
        config_dict: Mapping[str, Any] | None = None,
        global_step: Any = None,
        walltime: float | None = None,
    ) -> None:
        """Add a batch of meshes or point clouds: each argument has the shape (batch, n, 3)."""
        parts = [None if one is None else as_numpy(one) for one in (vertices, faces, colors)]
        meshes = [
            Mesh(*(None if part is None else part[number] for part in parts), config=config_dict)
            for number in range(len(as_numpy(vertices)))
        ]
        self.put(tag, meshes, global_step, walltime)

    def put_hparams(
        self, values: Any, metrics: Any, discrete: Any, run_name: str | None, global_step: Any
    ) -> None:
        """Record what add_hparams takes. Raises TypeError, ValueError as the original."""
        plain_values, plain_metrics = checked(values, metrics, discrete)
        self.put(run_name or "hparams", HParams(plain_values, plain_metrics), global_step)
        self.run.config.update(plain_values)
        self.run.summary.update(plain_metrics)
        for name, value in plain_metrics.items():
            self.put(name, value, global_step)

    def _put_layout(self, layout: Mapping[str, Mapping[str, Sequence[Any]]]) -> None:
        rows = ["| category | chart | kind | tags |", "|---|---|---|---|"]
        for category, charts in layout.items():
            for title, (kind, tags) in charts.items():
                if kind == "Margin" and len(tags) != 3:
                    raise AssertionError("len(tags) != 3")
                rows.append(f"| {category} | {title} | {kind} | {', '.join(tags)} |")
        self.put(_LAYOUT_TAG, Text("\n".join(rows)))
