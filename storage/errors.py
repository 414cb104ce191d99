"""Every error that Stepscope raises.

    StepscopeError
    ├── BadInput            what was logged or asked for is not of the stated form (also a ValueError)
    ├── MissingExtra        an optional package is not installed (also an ImportError)
    │   └── MissingPackage      one that no extra of Stepscope's brings: that of another tracker
    ├── RunNotFound         no run has that id (also a LookupError)
    ├── RunAlive            the run's process still logs: it has to end first
    ├── SeriesNotFound      the run has no series of that name (also a LookupError)
    ├── ArtifactNotFound    there is no such artifact, or not in that version (also a LookupError)
    ├── ExportRefused       the place that a run is exported to does not take it
    └── StoreError          the store cannot be used
        ├── StoreNotFound       there is no store at that place
        ├── StoreNotWritable    the folder or file refuses writes, or the disk is full
        ├── StoreUnavailable    locked by another program, or its server is away: later it may be there
        ├── StoreTooNew         written by a newer Stepscope
        ├── StoreTooOld         needs `stepscope upgrade`
        └── StoreDamaged        what was read is not what was written

Messages say what was expected, what came and what to do.
"""


class StepscopeError(Exception):
    """Base of every error that Stepscope raises."""

    reason: str | None = None
    """What the values that it costs are counted under, where the class alone would not say it."""


class BadInput(StepscopeError, ValueError):
    """What was logged or asked for is not of the stated form."""


class MissingExtra(StepscopeError, ImportError):
    """An optional package is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        """Name the feature that was asked for and the extra that brings it."""
        super().__init__(
            f"{feature} needs packages that are not installed. "
            f'Install them with: pip install "stepscope[{extra}]"'
        )


class MissingPackage(MissingExtra):
    """A package that no extra brings is not installed: another tracker's, which reads its files."""

    def __init__(self, feature: str, package: str) -> None:
        """Name the feature that was asked for and the package that it needs."""
        ImportError.__init__(
            self, f"{feature} needs a package that is not installed. Install it with: pip install {package}"
        )


class RunNotFound(StepscopeError, LookupError):
    """No run has that id."""


class RunAlive(StepscopeError):
    """The run's process still logs: it has to end first."""


class SeriesNotFound(StepscopeError, LookupError):
    """The run has no series of that name."""


class ArtifactNotFound(StepscopeError, LookupError):
    """There is no such artifact, or not in that version."""


class ExportRefused(StepscopeError):
    """The place that a run is exported to does not take it: a folder, a disk or a server."""


class StoreError(StepscopeError):
    """The store cannot be used."""


class StoreNotFound(StoreError):
    """There is no store at that place."""


class StoreNotWritable(StoreError):
    """The folder or file refuses writes, or the disk is full."""


class StoreUnavailable(StoreError):
    """The store is locked by another program, or its server is away; later it may be there."""


class StoreTooNew(StoreError):
    """The store was written by a newer Stepscope."""


class StoreTooOld(StoreError):
    """The store has an older schema than this Stepscope reads."""


class StoreDamaged(StoreError):
    """What was read is not what was written."""
