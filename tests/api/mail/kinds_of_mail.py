"""What each kind of e-mail is filled with: every value that somebody else may have written is `word`."""

from typing import Any

ID = "5e0f2c7a9b1d4e6f8a0b1c2d3e4f5a6b"


def values_of(kind: str, word: str, prose: str) -> dict[str, Any]:
    """Values of a template; several forms of it are told apart by `kind:form`."""
    campaign = {"campaign": word, "id": ID}
    issue = {"subject": word, "path": f"/api/v1/issues/{ID}"}
    token = {"token": "t" * 43, "hours": 24}
    batch = {
        "campaign": word, "total": 312, "counts": "303 done, 9 failed", "id": ID,
        "verdicts": ["41 positive (quality: good)", "262 negative (quality: caution)"], "failed": 9,
        "failures": [f"line 7, {word}: {word}"],
    }  # fmt: skip
    bundle = {"campaign": word, "file": "ixion.zip", "id": ID, "files": 41, "size": "1234.5 MB", "absent": 2,
              "until": "2020-08-22 20:44 UTC"}  # fmt: skip
    known: dict[str, dict[str, Any]] = {
        "activation": token, "reset": token, "address": token,
        "registered": {}, "welcome": {}, "password": {}, "address_changed": {}, "deleted": {},
        "profile": {"fields": ["name", "ORCID iD"]},
        "key": {"key": word, "start": "umbra_abc", "scopes": ["data:read", "data:write"]},
        "level": {"before": "observer", "level": "staff"},
        "suspended": {"suspended": "yes"}, "suspended:lifted": {"suspended": ""},
        "call": {**campaign, "at": "2020-08-08 20:44:27 UTC", "star": ", star of magnitude 12.3",
                 "author": word, "words": word},
        "call:bare": {**campaign, "at": "2020-08-08 20:44:27 UTC", "star": "", "author": word, "words": ""},
        "responsible": {**campaign, "appointed": "yes"}, "responsible:ended": {**campaign, "appointed": ""},
        "campaign_changed": {**campaign, "title": "it is closed",
                             "lines": ["it is closed", f"it was called {word}"]},
        "fit": {"campaign": word, "headline": word, "path": "/api/v1/campaigns/c/fits/2", "version": 2},
        "fit_failed": {"campaign": word, "why": word, "path": "/api/v1/campaigns/c/fits/2", "version": 2},
        "data_requested": bundle, "data_given": {**bundle, "asker": word, "email": "ann@example.org"},
        "file_refused": {"file": word, "problem": word},
        "files": {"total": 1, "file": word, "lines": [f"{word} ({word}): recording"], "more": 0},
        "files:many": {"total": 23, "file": word, "lines": [word] * 20, "more": 3},
        "reductions": {"total": 1, "counts": "1 done", "outcome": "done", "file": word, "more": 0,
                       "lines": [f"{word} (home): version 3: positive (quality: good)"],
                       "paths": [f"/api/v1/jobs/{ID}"]},
        "reductions:many": {"total": 22, "counts": "21 done, 1 failed", "outcome": "", "file": word,
                            "more": 2, "lines": [word] * 20, "paths": [f"/api/v1/jobs/{ID}"] * 20},
        "batch": {**batch, "mine": "yes"},
        "batch:team": {**batch, "mine": "", "failed": 0, "failures": [], "verdicts": [], "counts": "2 done"},
        "reduced": {"campaign": word, "count": 1, "lines": [word], "id": ID},
        "reduced:many": {"campaign": word, "count": 40, "lines": [], "id": ID},
        "announcement": {"subject": word, "author": word, "text": prose,
                         "audience": f"those who take part in {word}"},
        "issue": {**issue, "mine": "", "reporter": word, "about": word, "text": prose},
        "issue:mine": {**issue, "mine": "yes", "reporter": word, "about": "", "text": prose},
        "issue_answer": {**issue, "author": word, "text": prose},
        "issue_state": {**issue, "author": word, "state": "closed"},
        "issue_state:open": {**issue, "author": word, "state": "open"},
        "faults": {"count": 3, "lines": [word, word], "more": 2, "minutes": 60},
        "faults:one": {"count": 1, "lines": [word], "more": 0, "minutes": 60},
    }  # fmt: skip
    return known[kind]


FORMS = (
    "suspended:lifted", "call:bare", "responsible:ended", "files:many", "reductions:many", "batch:team",
    "reduced:many", "issue:mine", "issue_state:open", "faults:one",
)  # fmt: skip
"""Further forms of kinds."""
