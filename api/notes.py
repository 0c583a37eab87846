"""What `umbra serve` tells who starts it."""

from fastapi import FastAPI

from api.access.caller import has_accounts
from api.database.transactions import Database
from api.settings import ServiceSettings
from api.web.serving import ROOT


def notes(app: FastAPI) -> list[str]:
    """Lines about accounts and e-mail: what is missing, and how to get it."""
    settings: ServiceSettings = app.state.settings
    database: Database = app.state.database
    lines = [f"  portal  {settings.url}/"]
    with database.reading() as session:
        accounts = has_accounts(session)
    if not accounts:
        lines.append("  accounts  none yet; the first superuser: umbra user add --superuser ADDRESS")
        trust = "who is at this machine may reduce files of the data folder"
        lines.append(f"            until then {trust if settings.local else 'nobody may do anything'}")
    if not settings.smtp_host:
        lines.append("  e-mail    stays in the outbox (umbra mail list); UMBRA_SMTP_HOST names a server")
    missing = app.state.portal.assets.missing
    if missing:
        folder = ROOT / "islands"
        lines.append(
            f"  islands   {len(missing)} files for maps, plots and uploads are missing: pages work plain;"
        )
        lines.append(f"            with Node.js: npm ci --ignore-scripts --prefix {folder}")
    return lines
