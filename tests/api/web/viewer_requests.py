"""How the pages of frames and reductions are asked."""

from tests.api.access.asks import Ask, Builder, as_form
from tests.api.access.reduction_builders import batch, frame, recording, reduction_job
from tests.api.access.world import World


def _observation(world: World, caller: str) -> Ask:
    return Ask({"observation_id": world.things_for(caller)["observation"]}, {})


def _campaign(world: World, caller: str) -> Ask:
    return Ask({"campaign_id": world.things_for(caller)["campaign"]}, {})


def _reduce(world: World, caller: str) -> Ask:
    return Ask(_observation(world, caller).path, {"json": {"file": recording(world, caller)}})


def _reduce_all(world: World, caller: str) -> Ask:
    return Ask(_campaign(world, caller).path, {"json": {"chosen": [recording(world, caller)]}})


VIEWER_PAGES: dict[tuple[str, str], Builder] = {
    ("GET", "/files/{file_id}/view"): frame(),
    ("GET", "/observations/{observation_id}/reduce"): _observation,
    ("POST", "/observations/{observation_id}/reduce"): as_form(_reduce),
    ("GET", "/jobs/{job_id}"): reduction_job,
    ("POST", "/jobs/{job_id}/cancel"): as_form(reduction_job),
    ("POST", "/jobs/{job_id}/retry"): as_form(reduction_job),
    ("GET", "/campaigns/{campaign_id}/reduce"): _campaign,
    ("POST", "/campaigns/{campaign_id}/reduce"): as_form(_reduce_all),
    ("GET", "/batches/{batch_id}"): batch,
    ("POST", "/batches/{batch_id}/cancel"): as_form(batch),
    ("POST", "/batches/{batch_id}/retry"): as_form(batch),
}
