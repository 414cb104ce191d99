"""To be written."""

FIGURES = ()
