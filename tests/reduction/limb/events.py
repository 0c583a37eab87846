"""A predicted event whose numbers are round, and stations under its shadow."""

import numpy as np

from reduction.geometry.earth import itrs_of
from reduction.geometry.occelmnt import parse_occelmnt
from reduction.geometry.prediction import Prediction
from reduction.geometry.skyplane import SkyPlane, sky_plane
from reduction.limb.chords import Moment, Station
from reduction.limb.shape import Ellipse
from reduction.sites import Site
from tests.reduction.limb.simulated import crossing_s, height

SECOND = 1_000_000_000

XML = """<Occultations><Event>
<Elements>JPL#47:2026-Jan-05,8.5,2026,3,11,20.25,0.55,0.62,5.0,-2.4,0.0,0.0,0.0,0.0</Elements>
<Star>UCAC4 350-187717,9.912345,20.1234567,11.5,11.2,10.9,0.05,0,,9.93,20.0</Star>
<Object>2731,Cucula,15.4,102,2.1,0,0,-1.0,5.0,,6.0</Object>
<Errors>1.2,0.004,0.003,80,0.004,Known errors,1.0,0,0,0</Errors>
<ID>20260311_350-187717,61000</ID>
</Event></Occultations>
"""


def event() -> Prediction:
    """The prediction."""
    return parse_occelmnt(XML, "event.xml").predictions[0]


def site_at(plane: SkyPlane, f_km: float, g_km: float, utc_ns: int, name: str = "") -> Site:
    """A site from which the star stands at (f, g) then: found by Newton's method on the ground."""
    place = np.array([20.0, 45.0])

    def offset(at: np.ndarray) -> np.ndarray:
        site = Site(longitude_deg=float(at[0]), latitude_deg=float(at[1]))
        point = np.ravel(plane.star_from_body_km(itrs_of(site), np.array([utc_ns])))
        return np.asarray(point - np.array([f_km, g_km]))

    for _ in range(30):
        miss = offset(place)
        step = np.array([[1e-4, 0.0], [0.0, 1e-4]])
        slope = np.stack([(offset(place + one) - miss) / 1e-4 for one in step], axis=1)
        move = -np.linalg.solve(slope, miss)
        place = place + move / max(1.0, float(np.abs(move).max()) / 10)
    return Site(longitude_deg=float(place[0]), latitude_deg=float(place[1]), name=name)


def observed(
    plane: SkyPlane,
    truth: Ellipse,
    shares: list[float],
    rng: np.random.Generator,
    sigma_s: float = 0.05,
    shifts: dict[int, float] | None = None,
) -> list[Station]:
    """Stations whose chords pass at these shares of the half-width; beyond 1 they saw nothing."""
    epoch = plane.prediction.elements.epoch_ns
    middle = site_at(plane, truth.f_km, truth.g_km, epoch)
    motion = np.ravel(plane.velocity_km_s(itrs_of(middle), np.array([epoch])))
    across = np.array([-motion[1], motion[0]]) / np.hypot(*motion)
    answer = []
    for k, share in enumerate(shares):
        f, g = np.array([truth.f_km, truth.g_km]) + share * truth.b_km * across
        site = site_at(plane, float(f), float(g), epoch, f"Station {k + 1}")
        start, stop = epoch - 60 * SECOND, epoch + 60 * SECOND
        if abs(share) > 1:
            answer.append(Station(site.name, site, "negative", from_ns=start, to_ns=stop))
            continue
        itrs = itrs_of(site)

        def point(utc_ns: int, itrs: np.ndarray = itrs) -> np.ndarray:
            return np.ravel(plane.star_from_body_km(itrs, np.array([utc_ns])))

        times = []
        for side in (-1, 1):
            utc = epoch
            for _ in range(4):  # the path is nearly straight: each step starts where the last ended
                speed = np.ravel(plane.velocity_km_s(itrs, np.array([utc])))
                deepest = point(epoch)
                ahead = float(crossing_s(truth, deepest[None, :], speed, np.array([side]), np.zeros(1))[0])
                utc = epoch + round(ahead * SECOND)
                low, high = utc - 2 * SECOND, utc + 2 * SECOND
                for _ in range(50):  # the true path, by bisection
                    half = (low + high) // 2
                    inside = height(truth, point(half)) < 0
                    low, high = (half, high) if inside == (side > 0) else (low, half)
                utc = (low + high) // 2
            late = (shifts or {}).get(k, 0.0) + rng.normal(0, sigma_s)
            times.append(Moment(utc + round(late * SECOND), sigma_s))
        d, r = times
        answer.append(Station(site.name, site, "positive", d, r, exposure_s=0.04, from_ns=start, to_ns=stop))
    return answer


def plane() -> SkyPlane:
    """Its sky plane."""
    return sky_plane(event())
