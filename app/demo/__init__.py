"""What `stepscope demo` shows: runs that came with Stepscope, or two that train while one looks on."""

from pathlib import Path

SAMPLES = Path(__file__).resolve().parent.parent.parent / "sample_runs"
"""Of the repository; a wheel has of it what is needed here."""
