import os
from pathlib import Path

import pytest

from tests.requirements import require

require("server")

from api.problems import RefusedError  # noqa: E402 - after the check for the extra
from api.uploads.parts import Part, part_of  # noqa: E402


def test_the_next_writer_is_let_in_while_a_process_begins(tmp_path: Path) -> None:
    """Between its fork and its program, a process has copies of all descriptors, locks with them."""
    part = Part(part_of(tmp_path, "one"))
    copy = os.dup(part._descriptor)
    try:
        with pytest.raises(RefusedError) as refused:
            Part(part_of(tmp_path, "one"))
        assert refused.value.problem.status == 423
        part.close()
        Part(part_of(tmp_path, "one")).close()
    finally:
        os.close(copy)
