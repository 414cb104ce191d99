"""The dashboard's only way to the store, and its only cache.

Every read is bounded. The arguments of cached functions say in which state the store or a series was: a
line that did not grow is never read twice. What is cached is handed out by reference, for nobody changes it:
copying 2,000 runs, or the lines of a page, would cost more than reading them.
"""

from __future__ import annotations

from .of_runs import STATE_SECONDS as STATE_SECONDS
from .of_runs import alert_counts as alert_counts
from .of_runs import alerts as alerts
from .of_runs import all_runs as all_runs
from .of_runs import artifacts as artifacts
from .of_runs import attempts as attempts
from .of_runs import console as console
from .of_runs import definitions as definitions
from .of_runs import environment as environment
from .of_runs import fingerprint as fingerprint
from .of_runs import happened as happened
from .of_runs import last_values as last_values
from .of_runs import mark as mark
from .of_runs import metrics as metrics
from .of_runs import naming as naming
from .of_runs import ranking as ranking
from .of_runs import runs as runs
from .of_runs import series as series
from .of_runs import trials as trials
from .of_runs import used_artifacts as used_artifacts
from .of_series import HISTOGRAMS_A_SERIES as HISTOGRAMS_A_SERIES
from .of_series import POINTS_A_LINE as POINTS_A_LINE
from .of_series import RECORDS_A_SERIES as RECORDS_A_SERIES
from .of_series import STEPS_A_SERIES as STEPS_A_SERIES
from .of_series import average_precisions as average_precisions
from .of_series import clock as clock
from .of_series import frames as frames
from .of_series import histograms as histograms
from .of_series import load as load
from .of_series import points as points
from .of_series import projection as projection
from .of_series import records as records
from .of_series import value_at as value_at
from .of_store import PATIENCE_SECONDS as PATIENCE_SECONDS
from .of_store import reader as reader
