"""In which order test files are taken: those that take long first, so that no process ends with one."""

LONG = (
    "tests/scenes/",
    "tests/api/campaign/test_campaign.py",
    "tests/api/results/test_crashes.py",
    "tests/bench/test_bench.py",
    "tests/cluster/test_executors.py",
    "fstf/test_end_to_end",
    "tests/api/test_stopping.py",
    "tests/api/web/test_sights.py",
    "tests/api/web/test_journeys.py",
    "tests/api/access/test_routes.py",
    "fuzz",
    "mutated",
    "tests/test_bad_input.py",
    "campaign/test_faults",
)
"""Parts of the names of files that take longest."""


def is_long(name: str) -> bool:
    """Whether a file, by its path in the repository, is one of those."""
    return any(part in name for part in LONG)
