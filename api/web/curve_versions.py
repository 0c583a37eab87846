"""Two versions of a result side by side: what changed, and by how much of its error."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from cluster.campaign.compare import Pair
from cluster.campaign.outcomes import Outcome
from reduction.events.document import digits_of
from reduction.outputs.words import figure, percent

SETTINGS = (
    ("provenance", ("version", "pixel_digest", "time_digest")),
    ("photometry", ("extraction", "extraction_radius_px", "aperture_px", "sky_px", "gain")),
)
"""Of a summary, what is compared besides the plan."""


class Difference(NamedTuple):
    """A figure in both versions; `change` is empty where nothing is to be said."""

    name: str
    old: str
    new: str
    change: str
    matters: bool
    help: str


class Compared(NamedTuple):
    """A comparison: what matters in words, every figure, and the settings that differ."""

    change: str
    reasons: tuple[str, ...]
    better: bool | None
    rows: tuple[Difference, ...]
    settings: tuple[tuple[str, str, str], ...]


def compared(old: Outcome, new: Outcome) -> Compared:
    """Compare two outcomes of the same recording's observation."""
    pair = Pair(new.station, old, new)
    rows = [_plain("event", old.status or "not searched", new.status or "not searched", "events#status")]
    rows += [_edge(pair, name) for name in ("d", "r")]
    rows.append(_depth(old, new))
    rows += [
        _plain("can it be trusted?", old.verdict, new.verdict, "curves#verdict"),
        _scatter(pair, old, new),
        _figure("reduced χ², out of event", "chi2_reduced", old, new, "photometry#chi2"),
        _figure("median signal-to-noise", "median_snr", old, new, "photometry#snr"),
        _figure("factor applied to the sigmas", "sigma_scale", old, new, "photometry#sigma-scale"),
        _count(
            "good samples", old.figure("lightcurve", "good_points"), new.figure("lightcurve", "good_points")
        ),
    ]
    for name, before, after in pair.flags:
        rows.append(_count(f"flag: {name.replace('_', ' ')}", before, after))
    gone, come = sorted(old.caveats - new.caveats), sorted(new.caveats - old.caveats)
    if gone or come:
        rows.append(Difference("caveats", ", ".join(gone), ", ".join(come), "", True, "curves#caveats"))
    return Compared(pair.change, tuple(pair.reasons), pair.better, tuple(rows), tuple(_settings(old, new)))


def _plain(name: str, old: str, new: str, help_: str) -> Difference:
    return Difference(name, old, new, "same" if old == new else "differs", old != new, help_)


def _edge(pair: Pair, name: str) -> Difference:
    texts = []
    for outcome in (pair.old, pair.new):
        edge = None if outcome is None else outcome.edge(name)
        if edge is None:
            texts.append("none")
            continue
        digits = digits_of(edge.sigma_s)
        texts.append(f"{edge.utc.replace('T', ' ')[: 20 + digits]} UTC ± {edge.sigma_s:.{digits}f} s")
    moved, sigmas = pair.moved_s(name), pair.moved_sigma(name)
    change = "" if moved is None else f"{moved:+.4f} s".replace("-", "−")
    if sigmas is not None:
        change += f" ({sigmas:+.2f} σ)".replace("-", "−")
    matters = (sigmas is not None and abs(sigmas) > 1.0) or (texts[0] == "none") != (texts[1] == "none")
    return Difference(name.upper(), texts[0], texts[1], change, matters, "events#d-r")


def _depth(old: Outcome, new: Outcome) -> Difference:
    values = [(o.figure("event", "depth"), o.figure("event", "depth_sigma")) for o in (old, new)]
    texts = ["none" if v is None else f"{v:.3f}" + (f" ± {s:.3f}" if s else "") for v, s in values]
    (before, sigma_a), (after, sigma_b) = values
    if before is None or after is None:
        return Difference("depth", texts[0], texts[1], "", texts[0] != texts[1], "events#depth")
    sigma = max(sigma_a or 0.0, sigma_b or 0.0)
    moved = after - before
    change = f"{moved:+.3f}" + (f" ({moved / sigma:+.2f} σ)" if sigma else "")
    return Difference(
        "depth",
        texts[0],
        texts[1],
        change.replace("-", "−"),
        sigma > 0 and abs(moved) > sigma,
        "events#depth",
    )


def _scatter(pair: Pair, old: Outcome, new: Outcome) -> Difference:
    before, after = (o.figure("lightcurve", "scatter") for o in (old, new))
    texts = ["unknown" if value is None else percent(value) for value in (before, after)]
    ratio = pair.scatter_ratio
    change = "" if ratio is None else f"× {ratio:.3f}"
    matters = ratio is not None and not 1 / 1.1 <= ratio <= 1.1
    return Difference("scatter, out of event", texts[0], texts[1], change, matters, "photometry#scatter")


def _figure(name: str, key: str, old: Outcome, new: Outcome, help_: str) -> Difference:
    texts = [figure(o.figure("lightcurve", key)) for o in (old, new)]
    return Difference(name, texts[0], texts[1], "same" if texts[0] == texts[1] else "", False, help_)


def _count(name: str, old: float | None, new: float | None) -> Difference:
    texts = ["unknown" if value is None else f"{value:,.0f}" for value in (old, new)]
    moved = None if old is None or new is None else new - old
    change = "" if moved is None else "same" if moved == 0 else f"{moved:+,.0f}".replace("-", "−")
    return Difference(name, texts[0], texts[1], change, bool(moved), "photometry#flags")


def _settings(old: Outcome, new: Outcome) -> list[tuple[str, str, str]]:
    """What was asked for and chosen otherwise: plan, edition, and how fluxes were taken."""
    found: list[tuple[str, Any, Any]] = []
    for part, keys in SETTINGS:
        before, after = (o.summary.get(part) or {} for o in (old, new))
        found += [(key.replace("_", " "), before.get(key), after.get(key)) for key in keys]
    plans = [_flat((o.summary.get("provenance") or {}).get("plan") or {}) for o in (old, new)]
    for key in sorted(plans[0].keys() | plans[1].keys()):
        found.append((f"plan: {key}", plans[0].get(key), plans[1].get(key)))
    stars = [
        ", ".join(f"{s['name']} ({s['role']})" for s in o.summary.get("stars") or ()) for o in (old, new)
    ]
    found.append(("stars", stars[0], stars[1]))
    return [(name, _text(a), _text(b)) for name, a, b in found if a != b]


def _flat(tree: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{before}{name}.")
        else:
            found[f"{before}{name}"] = value
    return found


def _text(value: Any) -> str:
    if value is None or value == "":
        return "not set"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return ", ".join(_text(one) for one in value) or "none"
    return str(value)
