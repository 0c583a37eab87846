"""Records for the tests of report forms: one full one, and drawn ones."""

from typing import Any

from hypothesis import strategies as st

from reduction.record import ObservationRecord

SECOND = 10**9

FULL: dict[str, Any] = {
    "status": "positive",
    "asteroid": {"number": "928", "name": "Hildrun", "diameter_km": 66.0},
    "star": {
        "catalogue": "UCAC4", "designation": "350-187717", "ra_deg": 303.438013, "dec_deg": -0.1111444,
        "magnitude": 12.34, "gaia_id": "4179586373926412160", "diameter_mas": 0.021,
    },
    "prediction": {"utc": "2026-03-11T20:03:31Z", "duration_s": 4.2, "source": "JPL#61 with Gaia DR3"},
    "observers": [
        {
            "name": "Wilhelm Herschel", "e_mail": "w@example.org", "address": "Mystreet 5", "city": "Slough",
            "state": "BE", "country": "DE", "phone": "+49 30 123456",
        },
        {"name": "Caroline Herschel"},
    ],
    "site": {"latitude_deg": 52.98013888888889, "longitude_deg": 13.370472222222222, "altitude_m": 37.4,
             "name": "Berlin"},
    "telescope": {"type": "schmidt-cassegrain", "aperture_cm": 36.0, "focal_length_cm": 277.0, "model": "C14",
                  "mount": "equatorial", "drive": "yes"},
    "recording": {
        "started": "2026-03-11T20:01:34.99Z", "stopped": "2026-03-11T20:05:34.01Z", "camera": "QHY174M-GPS",
        "video_format": "SER", "exposure_s": 0.1, "method": "video", "time_source": "gps",
        "timing_device": "camera's own GPS", "filter": "none",
    },
    "conditions": {"transparency": "thin cloud", "stability": "slight flickering", "wind": "0",
                   "temperature_c": -6.5},
    "timings": [
        {
            "d": {"utc": "2026-03-11T20:02:30.0123Z", "sigma_s": 0.0201,
                  "intervals_s": [[0.02, 0.0202], [0.04, 0.0411], [0.07, 0.0909]]},
            "r": {"utc": "2026-03-11T20:02:34.0341Z", "sigma_s": 0.0201,
                  "intervals_s": [[0.02, 0.0202], [0.04, 0.0411], [0.07, 0.0909]]},
            "depth": 0.951, "depth_sigma": 0.02,
        }
    ],
    "snr": 8.5,
    "corrections": [{"what": "camera", "value_s": -0.02, "source": "measured [LED]"}],
    "reduction_software": "Umbra",
    "comments": "two lines\nof what matters",
}  # fmt: skip


def full(**changes: Any) -> ObservationRecord:
    """The full record with some of its fields changed."""
    return ObservationRecord.model_validate(FULL | changes)


def negative(**changes: Any) -> ObservationRecord:
    """A miss: the observation's interval is all there is."""
    return full(status="negative", timings=[], **changes)


WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Cn", "Co")), min_size=1, max_size=30
).filter(str.strip)


@st.composite
def records(draw: st.DrawFn) -> ObservationRecord:
    """A positive observation with any words, any place, and times round any instant, midnight included."""
    predicted = draw(st.integers(0, 4_000_000_000)) * SECOND
    if draw(st.booleans()):
        predicted -= predicted % (86_400 * SECOND)
    start = predicted - draw(st.integers(0, 3_600 * SECOND))
    d = start + draw(st.integers(0, 3_600 * SECOND))
    r = d + draw(st.integers(0, 600 * SECOND))
    sigma = draw(st.sampled_from([0.0004, 0.003, 0.0151, 0.2, 1.3]))
    return full(
        asteroid={"number": draw(st.sampled_from(["", "1", "136108"])), "name": draw(WORDS)},
        star={"catalogue": "UCAC4", "designation": "001-000007"},
        prediction={"utc": predicted - predicted % SECOND, "source": draw(WORDS)},
        observers=[{"name": draw(WORDS), "address": draw(WORDS)}],
        site={
            "latitude_deg": draw(st.floats(-90, 90)),
            "longitude_deg": draw(st.floats(-180, 360)),
            "altitude_m": draw(st.floats(-400, 8000)),
            "name": draw(WORDS),
        },
        recording={"started": start, "stopped": r + draw(st.integers(0, 3_600 * SECOND)), "exposure_s": 0.04},
        timings=[{"d": {"utc": d, "sigma_s": sigma}, "r": {"utc": r, "sigma_s": sigma}}],
        comments=draw(WORDS),
    )
