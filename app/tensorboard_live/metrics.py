"""TensorBoard's page "Time Series", with quicker answers.

It asks for a chart's lines of all runs at once. TensorBoard goes through every number of such an answer
before it becomes JSON, which takes longer than all the rest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tensorboard import errors as _errors
from tensorboard import plugin_util as _plugin_util
from tensorboard.backend import http_util
from tensorboard.plugins.metrics import metrics_plugin
from werkzeug import wrappers

errors: Any = _errors  # TensorBoard carries no types
plugin: Any = metrics_plugin
plugin_util: Any = _plugin_util
http: Any = http_util


class StoreMetrics(plugin.MetricsPlugin):
    """The plugin, but for how its answers become text."""

    def get_plugin_apps(self) -> Mapping[str, Any]:
        """Return the routes."""
        routes: dict[str, Any] = plugin.MetricsPlugin.get_plugin_apps(self)
        return routes | {"/timeSeries": wrappers.Request.application(self._time_series)}

    def _time_series(self, request: Any) -> Any:
        given = request.form if request.method == "POST" else request.args
        try:
            asked = json.loads(given.get("requests", ""))
        except ValueError:
            raise errors.InvalidArgumentError("expected JSON in the field 'requests'") from None
        environ = request.environ
        answer = self._time_series_impl(
            plugin_util.context(environ), plugin_util.experiment_id(environ), asked
        )
        return http.Respond(request, _text(answer), "application/json")


def _text(answer: list[Any]) -> Any:
    try:
        return json.dumps(answer, allow_nan=False, separators=(",", ":"))
    except ValueError:
        return answer  # NaN and infinity among them become words, which takes TensorBoard's own way
