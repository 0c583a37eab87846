"""Kinds of e-mails: what each is about, and which of them one may refuse."""

from enum import StrEnum
from types import MappingProxyType


class Topic(StrEnum):
    """What one may choose not to get."""

    CALLS = "calls"
    ANNOUNCEMENTS = "announcements"
    CAMPAIGNS = "campaigns"
    FILES = "files"
    REDUCTIONS = "reductions"
    FITS = "fits"
    EVENT_DATA = "event_data"
    ISSUES = "issues"


ABOUT = MappingProxyType(
    {
        Topic.CALLS: "calls to observe an occultation",
        Topic.ANNOUNCEMENTS: "announcements of the people who run the service",
        Topic.CAMPAIGNS: "changes of campaigns that you take part in or answer for",
        Topic.FILES: "files of yours that arrived and can be used",
        Topic.REDUCTIONS: "reductions that you asked for, or of your recordings",
        Topic.FITS: "limb fits of campaigns that you take part in or answer for",
        Topic.EVENT_DATA: "event data that you requested",
        Topic.ISSUES: "issues that you reported, or that are reported to you",
    }
)
"""As it is said to people."""

NECESSARY = (
    "your account and its security, appointments, files that cannot be used; to superusers: server faults"
)
"""What nobody can refuse, as it is said to people."""

KINDS = MappingProxyType(
    {
        # one's account
        "activation": None,
        "registered": None,
        "welcome": None,
        "reset": None,
        "password": None,
        "address": None,
        "address_changed": None,
        "profile": None,
        "key": None,
        "level": None,
        "suspended": None,
        "deleted": None,
        # campaigns
        "call": Topic.CALLS,
        "responsible": None,
        "campaign_changed": Topic.CAMPAIGNS,
        "fit": Topic.FITS,
        "fit_failed": Topic.FITS,
        # data
        "data_requested": Topic.EVENT_DATA,
        "data_given": None,
        "file_refused": None,
        "files": Topic.FILES,
        # reductions
        "reductions": Topic.REDUCTIONS,
        "batch": Topic.REDUCTIONS,
        "reduced": Topic.REDUCTIONS,
        # the service
        "announcement": Topic.ANNOUNCEMENTS,
        "issue": Topic.ISSUES,
        "issue_answer": Topic.ISSUES,
        "issue_state": Topic.ISSUES,
        "faults": None,
    }
)
"""Name of a template -> its topic; None: nobody can refuse it."""
