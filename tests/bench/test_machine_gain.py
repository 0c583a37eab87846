"""What cores do together lies between one and their number."""

from bench.machine_gain import machine_gain
from bench.pinning import allowed_cores


def test_cores_gain_no_more_than_their_number() -> None:
    gain = machine_gain(0.5)
    assert 0.1 < gain < 1.5 * allowed_cores()
