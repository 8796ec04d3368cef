"""Installed trackers: those that a run is to report to must be there."""

import sys
from importlib.util import find_spec

from rl.common.errors import UserError
from rl.config.run import TrackingConfig


def check_trackers(tracking: TrackingConfig) -> None:
    """Raise UserError for a tracker whose package is not installed."""
    missing = [name for name in tracking.report_to if name not in sys.modules and find_spec(name) is None]
    if missing:
        raise UserError(
            f"tracking.report_to names {', '.join(missing)}, which is not installed; "
            f"pip install {' '.join(missing)}, or leave it out"
        )
