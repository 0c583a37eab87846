"""The paper's Table 1, and what it means for each operation: written by hand, apart from the matrix.

Columns: anyone (not logged in), operator (local, while there are no accounts), observer (an account,
nothing to do with the thing), participant (a station in its campaign), owner (theirs), reducer (theirs, in
a campaign that lets observers reduce their own), responsible (appointed for its campaign), staff, superuser.
"""

COLUMNS = (
    "anyone", "operator", "observer", "participant", "owner", "reducer", "responsible", "staff", "superuser",
)  # fmt: skip

TABLE_1 = {
    #                 superuser  staff  observer     event responsible
    "user":         ("yes",     "no",  "no",        "no"),
    "prediction":   ("yes",     "yes", "read-only", "no"),
    "reduction":    ("yes",     "yes", "no",        "yes"),
    "data":         ("yes",     "yes", "no",        "yes"),
    "notification": ("yes",     "yes", "no",        "no"),
    "backup":       ("no",      "no",  "no",        "no"),
}  # fmt: skip
"""As printed, row by row."""

MANAGES = {
    "user": ("SEE_USERS", "CHANGE_LEVEL", "SUSPEND_USER", "SEE_AUDIT"),
    "prediction": ("MANAGE_PREDICTIONS", "OPEN_CAMPAIGN", "APPOINT_RESPONSIBLE"),
    "reduction": (
        "REDUCE", "SEE_REDUCTION", "CONTROL_REDUCTION", "SEE_RESULT", "SEE_LIGHT_CURVE", "SEE_CHORDS",
        "SEE_FIT", "FIT_CAMPAIGN",
    ),
    "data": (
        "MANAGE_CAMPAIGN", "SEE_OBSERVATIONS", "SEE_OBSERVATION", "CHANGE_OBSERVATION", "SEE_FILES",
        "FLAG_FILE", "UPLOAD",
        "SEE_UPLOAD",
        "REQUEST_EVENT_DATA", "SEE_EVENT_DATA", "LIST_AUTHORS",
    ),
    "notification": ("ANNOUNCE", "FOLLOW_ANNOUNCEMENT", "SEE_OUTBOX"),
    "backup": ("BACK_UP",),
}  # fmt: skip
"""Operations that are the management of a service: a plain "yes" is needed."""

READS = {"prediction": ("SEE_PREDICTIONS", "SEE_CAMPAIGNS")}
"""Operations for which "read-only" is enough."""

GRID = """
                     anyone operator observer participant owner reducer responsible staff superuser
SEE_HEALTH             y       y        y         y         y      y         y        y       y
SEE_PAGES              y       y        y         y         y      y         y        y       y
SEE_STATISTICS         y       y        y         y         y      y         y        y       y
REGISTER               y       y        y         y         y      y         y        y       y
PROVE_ADDRESS          y       y        y         y         y      y         y        y       y
LOG_IN                 y       y        y         y         y      y         y        y       y
RESET_PASSWORD         y       y        y         y         y      y         y        y       y
SEE_ACCOUNT            -       -        y         y         y      y         y        y       y
CHANGE_ACCOUNT         -       -        y         y         y      y         y        y       y
CHANGE_PASSWORD        -       -        y         y         y      y         y        y       y
SEE_SESSIONS           -       -        y         y         y      y         y        y       y
END_SESSION            -       -        -         -         y      y         -        -       -
SEE_KEYS               -       -        y         y         y      y         y        y       y
MAKE_KEY               -       -        y         y         y      y         y        y       y
REVOKE_KEY             -       -        -         -         y      y         -        -       -
EXPORT_ACCOUNT         -       -        y         y         y      y         y        y       y
DELETE_ACCOUNT         -       -        y         y         y      y         y        y       y
SEE_USERS              -       -        -         -         -      -         -        -       y
CHANGE_LEVEL           -       -        -         -         -      -         -        -       y
SUSPEND_USER           -       -        -         -         -      -         -        -       y
SEE_AUDIT              -       -        -         -         -      -         -        -       y
SEE_PREDICTIONS        -       -        y         y         y      y         y        y       y
MANAGE_PREDICTIONS     -       -        -         -         -      -         -        y       y
SEE_CAMPAIGNS          -       -        y         y         y      y         y        y       y
SEE_FEED               y       y        y         y         y      y         y        y       y
MAKE_FEED              -       -        y         y         y      y         y        y       y
OPEN_CAMPAIGN          -       -        -         -         -      -         -        y       y
APPOINT_RESPONSIBLE    -       -        -         -         -      -         -        y       y
MANAGE_CAMPAIGN        -       -        -         -         -      -         y        y       y
LIST_EQUIPMENT         -       -        y         y         y      y         y        y       y
SEE_EQUIPMENT          -       -        -         -         y      y         -        y       y
MAKE_EQUIPMENT         -       -        y         y         y      y         y        y       y
CHANGE_EQUIPMENT       -       -        -         -         y      y         -        -       -
JOIN_CAMPAIGN          -       -        y         y         y      y         y        y       y
SEE_PARTICIPANTS       -       -        -         y         y      y         y        y       y
SEE_OWN_OBSERVATIONS   -       -        y         y         y      y         y        y       y
SEE_OBSERVATIONS       -       -        -         -         -      -         y        y       y
SEE_OBSERVATION        -       -        -         -         y      y         y        y       y
CHANGE_OBSERVATION     -       -        -         -         y      y         y        y       y
SEE_FILES              -       -        -         -         y      y         y        y       y
WITHDRAW_FILE          -       -        -         -         y      y         -        -       -
FLAG_FILE              -       -        -         -         -      -         y        y       y
SEE_UPLOAD_SERVICE     y       y        y         y         y      y         y        y       y
UPLOAD                 -       -        -         -         y      y         y        y       y
SEE_OWN_UPLOADS        -       -        y         y         y      y         y        y       y
SEE_UPLOAD             -       -        -         -         y      y         y        y       y
REQUEST_EVENT_DATA     -       -        -         -         -      -         y        y       y
SEE_EVENT_DATA         -       -        -         -         -      -         y        y       y
LIST_AUTHORS           -       -        -         -         -      -         y        y       y
REDUCE_FOLDER          -       y        -         -         -      -         -        y       y
SEE_FOLDER_JOB         -       y        -         -         -      -         -        y       y
REDUCE                 -       -        -         -         -      y         y        y       y
SEE_REDUCTION          -       -        -         -         -      y         y        y       y
CONTROL_REDUCTION      -       -        -         -         -      y         y        y       y
SEE_QUEUE              -       -        -         -         -      -         -        y       y
SEE_RESULT             -       -        -         -         y      y         y        y       y
SEE_LIGHT_CURVE        -       -        -         -         y      y         y        y       y
SEE_PROTOCOLS          y       y        y         y         y      y         y        y       y
SEARCH_ARCHIVE         -       -        y         y         y      y         y        y       y
SEE_CHORDS             -       -        -         -         -      -         y        y       y
SEE_FIT                -       -        -         -         -      -         y        y       y
FIT_CAMPAIGN           -       -        -         -         -      -         y        y       y
ANNOUNCE               -       -        -         -         -      -         -        y       y
SEE_ANNOUNCEMENTS      -       -        y         y         y      y         y        y       y
FOLLOW_ANNOUNCEMENT    -       -        -         -         -      -         -        y       y
SEE_OUTBOX             -       -        -         -         -      -         -        y       y
SEE_NOTICES            -       -        y         y         y      y         y        y       y
CHOOSE_NOTICES         -       -        y         y         y      y         y        y       y
UNSUBSCRIBE            y       y        y         y         y      y         y        y       y
MAKE_WEBHOOK           -       -        y         y         y      y         y        y       y
SEE_WEBHOOKS           -       -        y         y         y      y         y        y       y
SEE_WEBHOOK            -       -        -         -         y      y         -        -       -
CHANGE_WEBHOOK         -       -        -         -         y      y         -        -       -
REPORT_ISSUE           -       -        y         y         y      y         y        y       y
SEE_ISSUES             -       -        y         y         y      y         y        y       y
SEE_ALL_ISSUES         -       -        -         -         -      -         -        y       y
SEE_ISSUE              -       -        -         -         y      y         -        y       y
ANSWER_ISSUE           -       -        -         -         y      y         -        y       y
BACK_UP                -       -        -         -         -      -         -        -       -
"""
"""Owner and reducer have a station in the thing's campaign, so they are participants, too."""

OPENED = frozenset({"SEE_LIGHT_CURVE", "SEE_CHORDS"})
"""What a reader may besides what a participant may: one of a campaign whose embargo is over."""
ALL_COLUMNS = (*COLUMNS, "reader")


def cells() -> dict[tuple[str, str], bool]:
    """(operation, column) -> whether it is allowed."""
    header, *rows = [line.split() for line in GRID.strip().splitlines()]
    assert tuple(header) == COLUMNS
    found: dict[tuple[str, str], bool] = {}
    for operation, *marks in rows:
        assert len(marks) == len(COLUMNS), operation
        assert set(marks) <= {"y", "-"}, operation
        found |= {(operation, column): mark == "y" for column, mark in zip(COLUMNS, marks, strict=True)}
    for operation in {operation for operation, _ in found}:
        found[operation, "reader"] = found[operation, "participant"] or operation in OPENED
    return found
