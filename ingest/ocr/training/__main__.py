"""``python -m ingest.ocr.training [FILE]``: train the recogniser and write its weights."""

import sys
from pathlib import Path

from ingest.ocr.network import WEIGHTS
from ingest.ocr.training.fit import save, train


def main(arguments: list[str]) -> None:
    """Train, and write the weights over those that are shipped, or into the file that is named."""
    target = Path(arguments[0]) if arguments else Path(__file__).resolve().parents[1] / WEIGHTS
    save(train(lambda line: print(line, flush=True)), target)  # noqa: T201  # a command of the developers'
    sys.stdout.write(f"{target}: {target.stat().st_size} bytes\n")


if __name__ == "__main__":
    main(sys.argv[1:])
