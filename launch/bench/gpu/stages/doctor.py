"""Stage: what `heed doctor` says of the machine, its trials included."""

import json
from collections.abc import Iterator

from launch.bench.gpu.stage import Row, Setup
from launch.bench.gpu.trainings import heed

NOT_FIT = 1
"""Its exit code when a check fails."""


def measure(setup: Setup) -> Iterator[Row]:
    """Yield a row for each check; one that fails is a finding."""
    for check in json.loads(heed("doctor", "--json", accepted=(0, NOT_FIT))):
        row: Row = {"check": check["name"], "level": check["level"], "said": check["finding"]}
        yield row | ({"finding": f"doctor: {check['finding']}"} if check["level"] == "fail" else {})
