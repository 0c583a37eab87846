"""What a form has no field for and its comments must say."""

from reduction.record import AppliedCorrection, ObservationRecord, Timing


def comments(record: ObservationRecord, timing: Timing | None, accuracy: str) -> str:
    """The observer's comments on one line, and after them, in brackets, what Umbra adds."""
    parts = [accuracy] if accuracy else []
    if timing is not None:
        parts += _flanks(timing)
        if timing.depth is not None:
            parts.append(f"Depth {timing.depth:.3f}{_plus_minus(timing.depth_sigma)} of the light.")
    if record.corrections:
        listed = ", ".join(map(_correction, record.corrections))
        parts.append(f"Corrections that the times contain already: {listed}.")
    if record.caveats:
        codes = dict.fromkeys(caveat.partition(":")[0] for caveat in record.caveats)
        parts.append(f"Caveats of the reduction: {', '.join(codes)}.")
    if record.altitude_of == "sea level":
        parts.append("Altitude is above the sea.")
    if record.reduction_software:
        parts.append(f"Reduced with {record.reduction_software}.")
    own = " ".join(record.comments.split())
    added = " ".join(" ".join(parts).split()).replace("[", "(").replace("]", ")")
    return " ".join(part for part in (own, f"[Umbra: {added}]" if added else "") if part)


def _plus_minus(sigma: float | None) -> str:
    return "" if sigma is None else f" +- {sigma:.3f}"


def _flanks(timing: Timing) -> list[str]:
    found = []
    for name, edge in (("D", timing.d), ("R", timing.r)):
        if edge is not None and edge.gradual_s is not None:
            found.append(f"{name} is gradual: {edge.gradual_s:.3g} s from 10 to 90 percent.")
    return found


def _correction(one: AppliedCorrection) -> str:
    whose = " by the recorder" if one.included else ""
    source = f" ({one.source})" if one.source else ""
    return f"{one.what} {one.value_s:+.6g} s{whose}{source}"
