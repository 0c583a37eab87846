"""A run of a campaign: everything opened, worked through, and closed again, however it ends."""

import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from cluster.campaign.digests import Digests
from cluster.campaign.events import Onlooker, Progress
from cluster.campaign.hands import Hands, Here, OnRay
from cluster.campaign.learned import Learning, read_costs
from cluster.campaign.observation import Observation
from cluster.campaign.places import digests_folder, open_queue, own_folder
from cluster.campaign.planning import Planning
from cluster.campaign.supervisor import Supervisor
from cluster.campaign.view import summary_text
from cluster.store import open_store
from reduction.command import ENDED, INTERRUPTED, EndedError
from reduction.errors import DataError, ResourceError


@dataclass(frozen=True, slots=True)
class Run:
    """What is to be run, and where.

    Attributes
    ----------
    campaign : str
    observations : sequence of Observation
    store : str
        URL, or a folder.
    jobs : str or None
        URL of the queue's database; None: in the store's folder.
    ray : str
        ``local``, ``auto``, an address, or ``none``: in this process.
    workers : int or None
    scratch : Path or None
    """

    campaign: str
    observations: Sequence[Observation]
    store: str
    jobs: str | None = None
    ray: str = "local"
    workers: int | None = None
    scratch: Path | None = None


def run_campaign(run: Run, onlooker: Onlooker, out: IO[str], as_json: bool = False) -> int:
    """Run a campaign and say on `out` what came of it; the exit code.

    0 all done; 3 some failed; 4 some were left (cancelled, or paused); 130 and 143 interrupted, told to
    end: what was under way has gone back to the queue.

    Raises
    ------
    RequestError, ResourceError, DataError
        Store, queue or Ray cannot be used.
    """
    with ExitStack() as closing:
        closing.enter_context(redirect_stdout(sys.stderr))  # Ray prints what it has to say of dead workers
        learning = Learning(onlooker, read_costs(digests_folder(run.store)))
        closing.callback(learning.close)
        store = open_store(run.store)
        queue = closing.enter_context(open_queue(run.store, run.jobs))
        scratch = run.scratch or own_folder(run.store)
        supervisor = Supervisor(queue, store, _hands(run, scratch), run.campaign, learning)
        planning = Planning(run.observations, store.url, Digests(digests_folder(run.store)))
        closing.callback(planning.close)
        closing.callback(supervisor.close)
        code = 0
        try:
            supervisor.run(planning, len(run.observations))
        except EndedError:
            code = ENDED
        except KeyboardInterrupt:
            code = INTERRUPTED
        progress = supervisor.progress()
    _say_end(run, progress, code, out, as_json)
    return code or _code(progress)


def _hands(run: Run, scratch: Path | None) -> Hands:
    return Here(scratch) if run.ray == "none" else OnRay(run.ray, run.workers, scratch)


def _code(progress: Progress) -> int:
    if progress.counts.get("failed"):
        return DataError.exit_code
    return 0 if progress.counts.get("done", 0) == progress.total else ResourceError.exit_code


def _say_end(run: Run, progress: Progress, code: int, out: IO[str], as_json: bool) -> None:
    if as_json:
        content: dict[str, Any] = {
            "event": "end",
            "campaign": run.campaign,
            "total": progress.total,
            **{str(kind): count for kind, count in progress.counts.items()},
            "left": progress.total - sum(progress.counts.values()),
            "frames": progress.frames,
            "seconds": round(progress.seconds, 3),
            "interrupted": bool(code),
        }
        out.write(json.dumps(content) + "\n")
        return
    out.write(summary_text(progress, run.campaign, bool(code)))
    if code:
        sys.stderr.write(
            "umbra campaign run: interrupted; what was under way is queued again, the rest is kept\n"
        )
