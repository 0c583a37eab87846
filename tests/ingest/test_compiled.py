from pathlib import Path
from typing import Any, cast

import numpy as np
from numba import config
from numpy.typing import NDArray

from ingest.compiled import compiled


@compiled
def total(values: NDArray[np.uint8]) -> int:
    found = 0
    for value in values:
        found += value
    return found


def test_a_decoder_runs_compiled_and_is_kept_with_the_kernels() -> None:
    assert total(np.arange(5, dtype=np.uint8)) == 10
    made = cast(Any, total)
    assert made.targetoptions["nogil"]
    assert Path(vars(config)["CACHE_DIR"]) in Path(made.stats.cache_path).parents
