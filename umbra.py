"""The `umbra` command: a verb is a function of one of the packages, imported on use."""

import importlib
import os
import sys

from reduction.version import VERSION

VERBS: dict[str, tuple[str, str]] = {
    "reduce": ("cluster.cli:reduce", "recording -> light curve, plots and report"),
    "ingest": ("ingest.cli:ingest", "recording -> Zarr stack"),
    "unpack": ("ingest.archives.cli:unpack", "archive -> folder, told apart by what is what"),
    "inspect": ("ingest.cli:inspect", "what a recording or a stack holds, and whether its times are sure"),
    "times": ("ingest.times_cli:times", "the time of every frame, and every correction on its way"),
    "retime": ("ingest.times_cli:retime", "a new version of a stack's times, or another of its versions"),
    "export": (
        "ingest.export_cli:export",
        "frames of a recording or a stack as FITS, with their times",
    ),
    "events": ("ingest.events_cli:events", "light curve -> was there an event; D and R with their errors"),
    "lightcurve": ("ingest.lightcurve_cli:lightcurve", "a light curve in the form of another program"),
    "report": ("reduction.report_cli:report", "report forms of an observation, from one record"),
    "solve": ("ingest.solve.cli:solve", "where a recording points: its plate solution"),
    "path": ("reduction.geometry.cli:path", "prediction -> path on a map, and what each station may expect"),
    "chords": ("ingest.chords_cli:chords", "a campaign's chords -> the body's limb and place"),
    "campaign": ("cluster.campaign.cli:campaign", "many observations at once, by a manifest"),
    "watch": ("cluster.campaign.watch_cli:watch", "drop a recording into a folder, get a report"),
    "store": ("cluster.store.cli:store", "a store of recordings and results: look, verify, clean, get"),
    "demo": ("cluster.demo_cli:demo", "synthesise a campaign with known truth, reduce it, compare"),
    "serve": ("api.cli:serve", "the HTTP service"),
    "node": ("api.nodes.cli:node", "takes uploads near the observer, and hands them over to the service"),
    "remote": ("api.remote.cli:remote", "a service from afar: log in, upload, submit, watch, fetch"),
    "user": ("api.people.cli:user", "accounts of the service: the first superuser, levels, passwords"),
    "backup": (
        "api.backup.cli:backup",
        "a service, also while it runs -> folder or S3; list, verify",
    ),
    "restore": ("api.backup.cli:restore", "a service from a backup, into an empty home"),
    "mail": ("api.mail.cli:mail", "the outbox of the service: look, read, send"),
}


def usage() -> str:
    """Text of `umbra --help`."""
    lines = ["umbra: reduces stellar-occultation recordings", "", "usage: umbra VERB [OPTIONS]", ""]
    lines += [f"  {verb:<12}{text}" for verb, (_, text) in VERBS.items()]
    return "\n".join([*lines, "", "umbra VERB --help tells a verb's options; umbra --version the version."])


def main() -> None:
    """Entry point."""
    # One thread per process for the math libraries: parallelism is over segments, and results must
    # not depend on a thread count. Set before NumPy is imported.
    for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        sys.stdout.write(usage() + "\n")
        return
    if arguments[0] == "--version":
        sys.stdout.write(f"umbra {VERSION}\n")
        return
    verb, rest = arguments[0], arguments[1:]
    if verb not in VERBS:
        sys.stderr.write(f"umbra: no such verb: {verb!r}\n\n{usage()}\n")
        sys.exit(2)
    module, function = VERBS[verb][0].split(":")
    command = getattr(importlib.import_module(module), function)
    sys.exit(command(rest))


if __name__ == "__main__":
    main()
