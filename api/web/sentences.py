"""What is said at the top of the page that follows something done: key of `Visit.back` -> sentence."""

from types import MappingProxyType

SENTENCES = MappingProxyType(
    {
        # account
        "activated": "Your account is ready, and you are logged in.",
        "logged_in": "You are logged in.",
        "logged_out": "You are logged out.",
        "asked": "An e-mail is on its way; it says what comes next.",
        "password_chosen": "Your new password holds from now on; log in with it.",
        "password_changed": "Your password is changed; all other sessions have ended.",
        "address_asked": "An e-mail is on its way; until you follow its link the old address stays.",
        "address_changed": "Your new e-mail address holds from now on.",
        "profile_changed": "Your profile is saved.",
        "notices_chosen": "Your choice of e-mails is saved.",
        "session_ended": "That session has ended.",
        "key_revoked": "The key is revoked: it opens nothing any more.",
        "deleted": "Your account is deleted.",
        # campaigns
        "joined": "You take part. Prepare your report now; add the files when you have them.",
        "appointed": "They answer for the campaign now, and get an e-mail.",
        "withdrawn": "The appointment has ended; they get an e-mail.",
        "data_requested": "The archive is ready below; you get an e-mail, too.",
        "figure_uploaded": "The figure is uploaded.",
        "figure_removed": "The figure is removed.",
        "calendar_ended": "The address of your calendar opens nothing any more.",
        # observations, equipment, sites
        "saved": "Saved.",
        "removed": "Removed.",
        "report_saved": "Your report is saved.",
        "left": "The station is withdrawn.",
        "uploaded": "The file has arrived; it is being looked at.",
        "file_withdrawn": "The file is taken back; its bytes are removed within minutes.",
        "file_flagged": "The file is flagged: nothing new is made of it.",
        "flag_lifted": "The flag is lifted: the file may be used again.",
        # reductions
        "started": "The reduction is in the queue.",
        "batch_started": "The reductions are in the queue.",
        "cancelled": "Cancelled.",
        "retried": "It is tried again.",
        # staff
        "sent": "Sent.",
        "campaign_opened": "The campaign is open.",
        "announced": "It is announced; e-mails to those who want them are being written.",
        "announcement_withdrawn": "It is listed no more, and what was not sent yet is not sent.",
        "level_changed": "The level is changed, and they are told so.",
        "suspended": "The account is kept out from now on, and its owner is told so.",
        "let_in": "The account is let in again, and its owner is told so.",
        # issues
        "reported": "Your report has arrived; an answer comes by e-mail, and here.",
        "answered": "Your answer is sent.",
    }
)
"""Each area adds its own. Only these are ever shown: what an address says beside a key is nothing."""
