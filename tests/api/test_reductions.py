"""The routes: what they accept, what they refuse, and how they say so."""

import json
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.requirements import require

require("server")

from api.standards.votable import MEDIA_TYPE  # noqa: E402 - after the check for the extra
from cluster.executors import InProcess  # noqa: E402
from cluster.recording import ReductionRequest, reduce_to_folder  # noqa: E402
from ingest.writers import write_ser  # noqa: E402
from reduction.errors import DataError, ResourceError  # noqa: E402
from reduction.version import VERSION  # noqa: E402
from tests.api.client import API, Client, serving  # noqa: E402
from tests.api.executors import FILES, Scripted  # noqa: E402
from tests.contracts.executors import PLAN, SCENE, bytes_of, request_of  # noqa: E402
from tests.scenes.scenes import little_ser  # noqa: E402

BODY = {"input": "night/a.ser"}

REDUCTIONS = f"{API}/folder/reductions"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with a recording, beside things that are none of a client's business."""
    folder = tmp_path / "data"
    (folder / "night").mkdir(parents=True)
    frames = np.random.default_rng(1).integers(0, 255, (4, 8, 8), np.uint8)
    write_ser(folder / "night" / "a.ser", list(frames))
    write_ser(tmp_path / "secret.ser", list(frames))
    (folder / "link.ser").symlink_to(tmp_path / "secret.ser")
    (folder / "out").symlink_to(tmp_path)
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "inner.ser").symlink_to(folder / "night" / "a.ser")
    (folder / "mixed").mkdir()
    (folder / "mixed" / "b.fits").symlink_to(tmp_path / "secret.ser")
    (folder / "notes.txt").write_text("no recording")
    os.mkfifo(folder / "pipe.ser")
    return folder


@pytest.fixture
def executor() -> Scripted:
    return Scripted()


@pytest.fixture
def client(data: Path, tmp_path: Path, executor: Scripted) -> Iterator[Client]:
    with serving(data, tmp_path / "home", executor) as client:
        yield client


def check_problem(response: Any, status: int, *words: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert problem["status"] == status
    assert problem["title"]
    for word in words:
        assert word in problem["detail"]
    return problem


def test_a_reduction_from_end_to_end(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    recording = little_ser(SCENE, tmp_path / "data")
    reduce_to_folder(request_of(recording), tmp_path / "expected")
    with serving(tmp_path / "data", tmp_path / "home", InProcess()) as client:
        asked = client.ask({"input": recording.name, "plan": PLAN.model_dump(mode="json")})
        assert asked.status_code == 202
        view = client.ended(asked.json()["id"])
        assert view["status"] == "done"
        links = view["links"]
        curve, figures, page = (client.get(links[name]) for name in ("lightcurve", "summary", "report"))
    assert curve.content == bytes_of(tmp_path / "expected")["lightcurve.csv"]
    assert curve.headers["content-type"] == "text/csv; charset=utf-8"
    assert figures.json()["provenance"]["key"] == view["result_key"]
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert "sandbox" in policy


def test_the_job_and_its_place(client: Client, executor: Scripted, data: Path) -> None:
    asked = client.ask(BODY | {"times": {"start_utc": "2026-03-14T21:17:00Z", "cadence_s": 0.04}})
    assert asked.status_code == 202
    job = asked.json()["id"]
    assert asked.headers["location"] == f"{API}/folder/jobs/{job}" == asked.json()["links"]["self"]
    view = client.ended(job)
    assert view["status"] == "done"
    assert view["error"] is None
    assert view["progress"] is None
    assert view["submitted"] <= view["started"] <= view["finished"]
    request, _ = executor.seen[0]
    assert request.inputs == (str(data / "night" / "a.ser"),)
    assert request.times.cadence_s == 0.04
    for name, text in FILES.items():
        assert client.get(f"{API}/folder/reductions/{job}/{name}").text == text


def test_a_link_inside_the_folder_is_followed(client: Client) -> None:
    assert client.ask({"input": "inner.ser"}).status_code == 202


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("../secret.ser", "without a leading / or .."),
        ("night/../../secret.ser", "without a leading / or .."),
        ("/etc/passwd", "without a leading / or .."),
        ("link.ser", "leads out"),
        ("out/secret.ser", "leads out"),
        ("out/absent.ser", "leads out"),
        ("mixed", "b.fits is a link out"),
        ("loop", "path"),
        ("absent.ser", "no such file"),
        ("*.ser", "no such file"),
        ("night/\0a.ser", "no path"),
        ("x" * 3000, "no path"),
        ("\ud800.ser", "unicode"),
        ("notes.txt", "not a recording"),
        ("pipe.ser", "neither a file nor a folder"),
        ("night", "without a recording"),
    ],
)
def test_inputs_that_are_refused(client: Client, executor: Scripted, path: str, word: str) -> None:
    response = client.post(
        REDUCTIONS, content=json.dumps({"input": path}), headers={"content-type": "application/json"}
    )
    check_problem(response, 422)
    assert word in response.text
    assert not executor.seen


@pytest.mark.parametrize("field", ["bias", "dark", "flat"])
def test_calibration_outside_is_refused(client: Client, field: str) -> None:
    check_problem(client.ask(BODY | {field: "link.ser"}), 422, field, "leads out")


def test_times_outside_are_refused(client: Client) -> None:
    check_problem(client.ask(BODY | {"times": {"table": "../t.csv"}}), 422, "times.table")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "#/input"),
        ({"input": ""}, "#/input"),
        ({"input": 3}, "#/input"),
        (BODY | {"out": "/tmp/x"}, "#/out"),
        (BODY | {"device": "cuda:0"}, "#/device"),
        (BODY | {"plan": {"segmant": 3}}, "#/plan/segmant"),
        (BODY | {"plan": {"segment": 0}}, "#/plan/segment"),
        (BODY | {"plan": {"target": {"x": 1}}}, "#/plan/target/y"),
        (BODY | {"plan": {"sky_px": {"inner": 9, "outer": 4}}}, "#/plan/sky_px"),
        (BODY | {"times": {"meaning": "noon"}}, "#/times/meaning"),
    ],
)
def test_bodies_that_are_refused(client: Client, body: dict[str, Any], pointer: str) -> None:
    problem = check_problem(client.ask(body), 422, pointer)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert problem["type"] == "urn:umbra:problem:request"


def test_bodies_that_are_no_json(client: Client) -> None:
    headers = {"content-type": "application/json"}
    check_problem(client.post(REDUCTIONS, content=b'{"input"', headers=headers), 422)
    check_problem(client.post(REDUCTIONS, content=b'{"input": NaN}', headers=headers), 422)
    large = json.dumps({"input": "x" * 300_000})
    check_problem(client.post(REDUCTIONS, content=large, headers=headers), 413)
    check_problem(client.post(REDUCTIONS, content=pieces(large.encode()), headers=headers), 413)
    check_problem(client.post(REDUCTIONS, content=b"input=a", headers={}), 422)


async def pieces(body: bytes) -> AsyncIterator[bytes]:
    """A body without Content-Length."""
    for start in range(0, len(body), 50_000):
        yield body[start : start + 50_000]


def test_times_that_contradict_each_other(client: Client) -> None:
    check_problem(client.ask(BODY | {"times": {"cadence_s": 1.0}}), 422, "--start-utc")


def test_unknown_ids_and_routes(client: Client) -> None:
    for path in ("jobs/0123", "jobs/..%2f..%2fetc", "reductions/0123/lightcurve.csv"):
        check_problem(client.get(f"{API}/folder/{path}"), 404)
    check_problem(client.get("/nothing-is-here"), 404)
    check_problem(client.get("/docs"), 404)
    check_problem(client.get(REDUCTIONS), 405)
    check_problem(client.get(f"{API}/folder/jobs/0123?wait=1e9"), 422, "wait")
    check_problem(client.get(f"{API}/folder/jobs/0123?wait=nan"), 422, "wait")


def test_the_same_request_is_the_same_job(client: Client, executor: Scripted, data: Path) -> None:
    first = client.ask(BODY).json()["id"]
    client.ended(first)
    assert client.ask(BODY | {"plan": {}, "times": {}}).json()["id"] == first
    assert client.ask(BODY | {"plan": {"frame": 1}}).json()["id"] != first
    status = (data / "night" / "a.ser").stat()
    os.utime(data / "night" / "a.ser", ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000))
    changed = client.ask(BODY).json()["id"]
    assert changed != first
    client.ended(changed)
    assert len(executor.seen) == 3


def test_idempotency_key(client: Client, data: Path) -> None:
    first = client.ask(BODY, key="k 1").json()["id"]
    os.utime(data / "night" / "a.ser", ns=(1, 1))
    assert client.ask(BODY, key="k 1").json()["id"] == first
    assert client.ask(BODY, key="k 2").json()["id"] != first
    check_problem(client.ask(BODY | {"plan": {"frame": 2}}, key="k 1"), 422, "'k 1'", first)
    check_problem(client.ask(BODY, key="k" * 256), 422, "idempotency-key")


@pytest.mark.parametrize("executor", [Scripted(hold=True)])
def test_progress_waiting_and_results_that_are_not_ready(client: Client, executor: Scripted) -> None:
    job = client.ask(BODY).json()["id"]
    waiting = client.ask(BODY | {"plan": {"frame": 1}}).json()
    assert waiting["status"] == "queued"
    assert executor.begun.wait(300)
    view = client.get(f"{API}/folder/jobs/{job}", params={"wait": 0.3}).json()
    assert view["status"] == "running"
    assert view["progress"] == {"stage": "measure", "done": 3, "total": 8}
    assert view["links"] == {
        "self": f"{API}/folder/jobs/{job}",
        "lightcurve": None,
        "summary": None,
        "report": None,
    }
    check_problem(client.get(f"{API}/folder/reductions/{job}/lightcurve.csv"), 409, "running")
    health = client.get(f"{API}/health").json()
    assert health == {"status": "ok", "version": VERSION, "workers": 1, "queued": 1, "running": 1}
    executor.go.set()
    assert client.ended(job)["status"] == "done"
    assert client.ended(waiting["id"])["status"] == "done"


def failing(error: BaseException) -> Scripted:
    def act(_request: ReductionRequest) -> None:
        raise error

    return Scripted(act)


@pytest.mark.parametrize("executor", [failing(DataError("a.ser: no stars; is the cap on?"))])
def test_wrong_data_are_not_tried_again(client: Client, executor: Scripted) -> None:
    view = client.ended(client.ask(BODY).json()["id"])
    assert view["status"] == "failed"
    assert view["error"]["status"] == 422
    assert view["error"]["type"] == "urn:umbra:problem:data"
    assert "cap" in view["error"]["detail"]
    check_problem(client.get(f"{API}/folder/reductions/{view['id']}/summary.json"), 409, "failed", "cap")
    assert client.ask(BODY).json()["status"] == "failed"
    assert len(executor.seen) == 1


@pytest.mark.parametrize("executor", [failing(ResourceError("the disk is full"))])
def test_what_lacked_a_resource_is_tried_again(client: Client, executor: Scripted, tmp_path: Path) -> None:
    view = client.ended(client.ask(BODY).json()["id"])
    assert view["error"]["status"] == 503
    again = client.ask(BODY).json()
    assert (again["id"], again["status"]) == (view["id"], "queued")
    client.ended(view["id"])
    assert len({out for _, out in executor.seen}) == 2


@pytest.mark.parametrize("executor", [failing(ZeroDivisionError("secret of the house"))])
def test_a_bug_fails_its_job_only(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    view = client.ended(client.ask(BODY).json()["id"])
    assert view["error"]["status"] == 500
    assert "secret" not in json.dumps(view)
    assert "secret of the house" in caplog.text
    assert client.get(f"{API}/health").json()["running"] == 0


def test_removed_results(client: Client, tmp_path: Path) -> None:
    job = client.ask(BODY).json()["id"]
    client.ended(job)
    folder = tmp_path / "home" / "jobs" / job
    assert {path.name for path in folder.iterdir()} == {"job.json", "result-1"}
    (folder / "result-1" / "summary.json").unlink()
    check_problem(client.get(f"{API}/folder/reductions/{job}/summary.json"), 410)
    (folder / "result-1").rename(tmp_path / "gone")
    assert client.ask(BODY).json()["status"] in {"queued", "running"}
    assert client.ended(job)["status"] == "done"
    assert client.get(f"{API}/folder/reductions/{job}/summary.json").status_code == 200


def test_host_names(data: Path, tmp_path: Path) -> None:
    with serving(data, tmp_path / "home", Scripted(), hosts=("localhost", "::1")) as client:
        for host in ("localhost", "localhost:8000", "LOCALHOST", "[::1]:8000"):
            assert client.get(f"{API}/health", headers={"host": host}).status_code == 200
        for host in ("evil.example", "localhost.evil.example:80", "[::2]", ""):
            check_problem(client.get(f"{API}/health", headers={"host": host}), 421)


def test_headers_of_every_response(client: Client) -> None:
    for response in (client.get(f"{API}/health"), client.get("/absent")):
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["content-security-policy"].startswith("default-src 'none'")


IN_A_TABLE = {(f"{API}/obscore", "400")}
"""Faults that SIA wants told in a VOTable."""


def test_openapi_tells_every_route_and_problem(client: Client) -> None:
    document = client.get(f"{API}/openapi.json").json()
    assert set(document["paths"]) >= {
        REDUCTIONS,
        f"{API}/folder/jobs/{{job_id}}",
        f"{API}/folder/reductions/{{job_id}}/lightcurve.csv",
        f"{API}/folder/reductions/{{job_id}}/summary.json",
        f"{API}/folder/reductions/{{job_id}}/report.html",
        f"{API}/health",
    }
    assert document["components"]["schemas"]["FolderReductionBody"]["additionalProperties"] is False
    assert not [name for name in document["components"]["schemas"] if "__" in name], "two of one name"
    for place, path in document["paths"].items():
        for operation in path.values():
            assert operation["summary"]
            for status, answer in operation["responses"].items():
                if (place, status) in IN_A_TABLE:
                    assert set(answer["content"]) == {MEDIA_TYPE}
                elif status >= "4":
                    schema = answer["content"]["application/problem+json"]["schema"]
                    assert schema == {"$ref": "#/components/schemas/Problem"}
