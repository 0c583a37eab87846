"""A process that sends, for tests that kill it: `python -m tests.api.mail.sending DATABASE PORT LEASE_S`."""

import sys
import time
from datetime import timedelta
from pathlib import Path

from api.database.transactions import Database
from api.mail.sender import Sender
from api.settings import ServiceSettings

if __name__ == "__main__":
    url, port, lease_s = sys.argv[1:]
    folder = Path(url.removeprefix("sqlite:///")).parent
    settings = ServiceSettings(
        data=folder, home=folder, smtp_host="127.0.0.1", smtp_port=int(port), smtp_security="none"
    )
    sender = Sender(Database(url), settings, timedelta(seconds=float(lease_s)))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        if not sender.send_some():
            time.sleep(0.02)
