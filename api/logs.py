"""The service's log: JSON, one line for each request and each thing that went wrong."""

import json
import logging
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reduction.errors import RequestError

SECRETS = re.compile(r"/(calendar|unsubscribe)/[^/]+")
"""Paths by which one proves what one may."""
REQUESTS = logging.getLogger("umbra.requests")
STDERR = "-"


class JsonLines(logging.Formatter):
    """A record as one line of JSON; what a call adds by ``extra={"facts": {...}}`` is on its top level."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "log": record.name,
            "message": record.getMessage(),
        }
        line |= getattr(record, "facts", {})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def keep_log(where: str) -> None:
    """Write the log to a file, added to, or to standard error (``-``); empty: warnings alone, as text.

    Raises
    ------
    RequestError
        The file cannot be written.
    """
    if not where:
        return
    try:
        handler = logging.StreamHandler(sys.stderr) if where == STDERR else logging.FileHandler(Path(where))
    except OSError as error:
        raise RequestError(f"UMBRA_LOG={where}: cannot be written: {error.strerror}") from error
    handler.setFormatter(JsonLines())
    log = logging.getLogger("umbra")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False


def log_request(method: str, path: str, status: int, seconds: float, request: str, client: str) -> None:
    """Keep that a request was answered: its path, which has ids and no secrets, without the query."""
    facts = {
        "request": request,
        "method": method,
        "path": SECRETS.sub(r"/\1/...", path),
        "status": status,
        "ms": round(1000.0 * seconds, 1),
        "client": client,
    }
    REQUESTS.info("answered", extra={"facts": facts})
