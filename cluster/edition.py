"""Which Umbra this is."""

from reduction.version import STAGES, VERSION


def edition() -> str:
    """Umbra's version and those of its stages: the same text, the same results."""
    return " ".join([VERSION, *(f"{stage}={number}" for stage, number in sorted(STAGES.items()))])
