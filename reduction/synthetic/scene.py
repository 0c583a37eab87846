"""A recording as a description: what the telescope saw, frame by frame."""

import functools
import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from reduction.synthetic.psf import reach_px, star_image

Floats = NDArray[np.float64]
CalibrationKind = Literal["bias", "dark", "flat"]

NORMAL_FROM_E = 100.0
"""Sky electrons per pixel from which one normal draw stands for Poisson noise (see `Scene`)."""

_PIXELS, _WIND, _SEEING, _STATIC, _SPARKLE = range(5)
_CALIBRATION: dict[CalibrationKind, int] = {"bias": 10, "dark": 11, "flat": 12}
_FLAT_LEVEL_E = 20_000.0


@dataclass(frozen=True, slots=True)
class SceneStar:
    """A star: place on frame 0, pixels, and electrons per frame under a clear sky."""

    x: float
    y: float
    flux_e: float


@dataclass(frozen=True, slots=True)
class Occultation:
    """A loss of the target's light: seconds after the start of frame 0, and the fraction lost."""

    disappear_s: float
    reappear_s: float
    depth: float


@dataclass(frozen=True, slots=True)
class Bump:
    """A knock: from `frame` on the field is displaced, for `duration` frames (None: for good)."""

    frame: int
    dx: float
    dy: float
    duration: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What a frame holds. Arrays are ``(n_star,)``, in the order of `Scene.stars`.

    `x`, `y` are pixels of this very frame, `flux_e` electrons with cloud, scintillation and
    occultation in (before the flat field); `dx`, `dy` the shift of the frame's centre against frame 0.
    """

    frame: int
    x: Floats
    y: Floats
    flux_e: Floats
    dx: float
    dy: float
    rotation_deg: float
    transparency: float
    target_light: float
    fwhm_px: float


@dataclass(frozen=True, slots=True)
class Scene:
    """A synthetic recording. Every frame follows from (`seed`, frame number) alone.

    Electrons are drawn as Poisson numbers; where sky and dark give `NORMAL_FROM_E` electrons or more
    in every pixel, that part and the read noise are one normal draw of the same mean and variance
    (skewness below 0.1), stars stay Poisson. ADU are rounded and clipped as a camera does.

    Attributes
    ----------
    frames, height, width : int
        Recorded frames and their size, pixels.
    seed : int
        Of every random number.
    stars : tuple of SceneStar
        Stars on frame 0's pixel grid; `target` is the index of the one that is occulted.
    occultations : tuple of Occultation
        Averaged over each frame's exposure.
    drift_px : (float, float)
        Linear motion in x and y over the whole recording.
    bumps : tuple of Bump
        Knocks.
    wind_px : float
        Motion from frame to frame, rms per axis, white.
    rotation_deg : float
        Field rotation about the frame's centre over the whole recording.
    transparency : tuple of (float, float)
        (fraction of the recording, transmission), smoothly joined; empty is clear.
    scintillation : float
        Relative rms of each star's flux, independent by star and frame.
    fwhm_px, beta : float
        Seeing; Gaussian unless `beta`, a Moffat exponent, is given.
    seeing_rms : float
        Relative variation of the seeing from frame to frame.
    sky_e, dark_e : float
        Electrons per pixel and frame; dark is not dimmed by the flat field.
    gain_e_per_adu, read_noise_e, offset_adu : float
        The camera.
    bit_depth : int
        1 to 16; pixels are uint8 up to 8 bits, uint16 above.
    full_well_e : float
        Electrons at which a pixel is full; `saturation_adu` is this or the top of the digitiser.
    vignetting : float
        Light lost in the corners, fraction.
    pixel_rms : float
        Relative rms of the pixels' sensitivity, fixed.
    hot_pixels, hot_e : int, float
        Number of hot pixels and their electrons per frame.
    repeated : tuple of int
        Recorded frames whose pixels equal the frame before.
    missing : tuple of int
        Exposures, numbered from 0 as the camera took them, that never reached the file.
    cadence_s, exposure_s : float
        Seconds from start to start, and of exposure.
    start_ns : int
        POSIX UTC nanoseconds at which the exposure of frame 0 starts (of exposure 0).
    """

    frames: int
    height: int
    width: int
    stars: tuple[SceneStar, ...]
    seed: int = 1
    target: int = 0
    occultations: tuple[Occultation, ...] = ()
    drift_px: tuple[float, float] = (0.0, 0.0)
    bumps: tuple[Bump, ...] = ()
    wind_px: float = 0.0
    rotation_deg: float = 0.0
    transparency: tuple[tuple[float, float], ...] = ()
    scintillation: float = 0.0
    fwhm_px: float = 3.0
    beta: float | None = None
    seeing_rms: float = 0.0
    sky_e: float = 120.0
    dark_e: float = 0.0
    gain_e_per_adu: float = 1.0
    read_noise_e: float = 2.0
    offset_adu: float = 100.0
    bit_depth: int = 16
    full_well_e: float = math.inf
    vignetting: float = 0.0
    pixel_rms: float = 0.0
    hot_pixels: int = 0
    hot_e: float = 0.0
    repeated: tuple[int, ...] = ()
    missing: tuple[int, ...] = ()
    cadence_s: float = 0.05
    exposure_s: float = 0.05
    start_ns: int = 1_760_000_000_000_000_000

    def __post_init__(self) -> None:
        if min(self.frames, self.height, self.width) < 1:
            raise ValueError("a scene needs at least one frame and one pixel")
        if not 0 <= self.target < len(self.stars):
            raise ValueError(f"target is star {self.target} of {len(self.stars)}")
        if not 1 <= self.bit_depth <= 16:
            raise ValueError(f"bit_depth is 1 to 16, not {self.bit_depth}")
        if 0 in self.repeated:
            raise ValueError("frame 0 has no frame before it to repeat")
        if not 0.0 < self.exposure_s <= self.cadence_s * (1.0 + 1e-9):
            raise ValueError("the exposure must be positive and not longer than the cadence")

    @property
    def dtype(self) -> str:
        """NumPy name of the pixel type."""
        return "uint8" if self.bit_depth <= 8 else "uint16"

    @property
    def saturation_adu(self) -> int:
        """Highest value a pixel takes."""
        top = 2.0**self.bit_depth - 1.0
        return round(min(top, self.offset_adu + self.full_well_e / self.gain_e_per_adu))

    @property
    def target_star(self) -> SceneStar:
        """The star that is occulted."""
        return self.stars[self.target]

    def exposure_number(self, frames: NDArray[np.int64]) -> NDArray[np.int64]:
        """Number of the camera's exposure that each recorded frame holds, missing ones counted."""
        gone = np.array(sorted(set(self.missing)), np.int64)
        recorded_before = gone - np.arange(gone.size)
        return np.asarray(frames + np.searchsorted(recorded_before, frames, side="right"), np.int64)

    def frame_start_ns(self, frames: NDArray[np.int64]) -> NDArray[np.int64]:
        """POSIX UTC nanoseconds of the start of each frame's exposure."""
        steps = np.rint(self.exposure_number(frames) * (self.cadence_s * 1e9)).astype(np.int64)
        return np.asarray(self.start_ns + steps, np.int64)

    def target_light(self, frames: NDArray[np.int64]) -> Floats:
        """Fraction of the target's light that each frame's exposure received, 1 outside of events."""
        start = self.exposure_number(self._sources(frames)) * self.cadence_s
        light = np.ones(start.shape)
        for event in self.occultations:
            inside = np.minimum(start + self.exposure_s, event.reappear_s) - np.maximum(
                start, event.disappear_s
            )
            light -= event.depth * np.clip(inside / self.exposure_s, 0.0, 1.0)
        return np.maximum(light, 0.0)

    def truth(self, frame: int) -> Truth:
        """Return what frame `frame` holds."""
        source = self._source(frame)
        angle = math.radians(self.rotation_deg) * source / max(self.frames - 1, 1)
        dx, dy = self._shift(source)
        cx, cy = (self.width - 1) / 2.0, (self.height - 1) / 2.0
        x0 = np.array([s.x for s in self.stars]) - cx
        y0 = np.array([s.y for s in self.stars]) - cy
        flux = np.array([s.flux_e for s in self.stars])
        clear = self._transparency(source)
        flux *= clear
        if self.scintillation:
            flux *= 1.0 + self.scintillation * self._rng(_SPARKLE, source).standard_normal(flux.size)
            np.maximum(flux, 0.0, out=flux)
        light = float(self.target_light(np.array([frame]))[0])
        flux[self.target] *= light
        seeing = 1.0
        if self.seeing_rms:
            seeing = max(0.5, 1.0 + self.seeing_rms * self._rng(_SEEING, source).standard_normal())
        return Truth(
            frame=frame,
            x=cx + dx + x0 * math.cos(angle) - y0 * math.sin(angle),
            y=cy + dy + x0 * math.sin(angle) + y0 * math.cos(angle),
            flux_e=flux,
            dx=dx,
            dy=dy,
            rotation_deg=math.degrees(angle),
            transparency=clear,
            target_light=light,
            fwhm_px=self.fwhm_px * seeing,
        )

    def frame(self, frame: int) -> NDArray[Any]:
        """Render frame `frame`: ``(height, width)``, uint8 or uint16, ADU."""
        if not 0 <= frame < self.frames:
            raise IndexError(f"frame {frame} of {self.frames}")
        source = self._source(frame)
        truth = self.truth(frame)
        rng = self._rng(_PIXELS, source)
        flat, mean, sigma = _static(self)
        electrons = self._background(rng, mean, sigma)
        reach = reach_px(truth.fwhm_px, self.beta)
        for x, y, flux in zip(truth.x, truth.y, truth.flux_e, strict=True):
            left, right = max(0, round(x) - reach), min(self.width, round(x) + reach + 1)
            top, bottom = max(0, round(y) - reach), min(self.height, round(y) + reach + 1)
            if left >= right or top >= bottom or flux <= 0.0:
                continue
            light = star_image(x - left, y - top, truth.fwhm_px, (bottom - top, right - left), self.beta)
            box = (slice(top, bottom), slice(left, right))
            electrons[box] += rng.poisson(flux * light * flat[box])
        return self._digitise(electrons)

    def calibration_frame(self, kind: CalibrationKind, number: int) -> NDArray[Any]:
        """Render one bias, dark or flat frame, ADU; dark and flat have the exposure of the lights."""
        rng = self._rng(_CALIBRATION[kind], number)
        flat, _, _ = _static(self)
        if kind == "bias":
            mean = np.zeros((self.height, self.width))
        elif kind == "dark":
            mean = _dark(self)
        else:
            top_e = (self.saturation_adu - self.offset_adu) * self.gain_e_per_adu
            mean = flat * min(_FLAT_LEVEL_E, 0.5 * top_e) + _dark(self)
        electrons = rng.poisson(mean) + self.read_noise_e * rng.standard_normal(mean.shape)
        return self._digitise(electrons.astype(np.float32))

    def _background(
        self, rng: np.random.Generator, mean: NDArray[np.float32], sigma: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        noise = rng.standard_normal(mean.shape, dtype=np.float32)
        if sigma is None:
            noise *= np.float32(self.read_noise_e)
            noise += rng.poisson(mean)
            return noise
        noise *= sigma
        noise += mean
        return noise

    def _digitise(self, electrons: NDArray[np.float32]) -> NDArray[Any]:
        electrons *= np.float32(1.0 / self.gain_e_per_adu)
        electrons += np.float32(self.offset_adu)
        np.rint(electrons, out=electrons)
        np.clip(electrons, 0.0, float(self.saturation_adu), out=electrons)
        return electrons.astype(self.dtype)

    def _rng(self, stream: int, number: int) -> np.random.Generator:
        return np.random.Generator(np.random.SFC64(np.random.SeedSequence((self.seed, stream, number))))

    def _source(self, frame: int) -> int:
        """Frame whose pixels `frame` holds: itself unless repeated."""
        while frame in self.repeated:
            frame -= 1
        return frame

    def _sources(self, frames: NDArray[np.int64]) -> NDArray[np.int64]:
        if not self.repeated:
            return frames
        return np.array([self._source(int(f)) for f in frames], np.int64)

    def _transparency(self, frame: int) -> float:
        if not self.transparency:
            return 1.0
        at, value = zip(*self.transparency, strict=True)
        knot = float(np.interp(frame / max(self.frames - 1, 1), at, np.arange(len(at))))
        before, part = int(knot), knot % 1.0
        after = min(before + 1, len(at) - 1)
        return float(value[before] + (value[after] - value[before]) * part * part * (3.0 - 2.0 * part))

    def _shift(self, frame: int) -> tuple[float, float]:
        part = frame / max(self.frames - 1, 1)
        dx, dy = self.drift_px[0] * part, self.drift_px[1] * part
        for bump in self.bumps:
            if bump.frame <= frame and (bump.duration is None or frame < bump.frame + bump.duration):
                dx, dy = dx + bump.dx, dy + bump.dy
        if self.wind_px:
            gust = self._rng(_WIND, frame).standard_normal(2) - self._rng(_WIND, 0).standard_normal(2)
            dx, dy = dx + self.wind_px * gust[0], dy + self.wind_px * gust[1]
        return float(dx), float(dy)


def _dark(scene: Scene) -> Floats:
    dark = np.full((scene.height, scene.width), scene.dark_e)
    if scene.hot_pixels:
        rng = np.random.default_rng((scene.seed, _STATIC, 1))
        hot = rng.choice(dark.size, scene.hot_pixels, replace=False)
        dark.reshape(-1)[hot] += scene.hot_e
    return dark


@functools.lru_cache(maxsize=4)
def _static(scene: Scene) -> tuple[Floats, NDArray[np.float32], NDArray[np.float32] | None]:
    """Flat field, mean of sky and dark, and (where one normal draw will do) its sigma with read noise."""
    cx, cy = (scene.width - 1) / 2.0, (scene.height - 1) / 2.0
    y, x = np.ogrid[: scene.height, : scene.width]
    corner2 = max(cx**2 + cy**2, 1.0)
    flat = 1.0 - scene.vignetting * ((x - cx) ** 2 + (y - cy) ** 2) / corner2
    if scene.pixel_rms:
        rng = np.random.default_rng((scene.seed, _STATIC, 0))
        flat = np.maximum(flat * (1.0 + scene.pixel_rms * rng.standard_normal(flat.shape)), 0.0)
    mean = scene.sky_e * flat + _dark(scene)
    sigma = None
    if mean.min() >= NORMAL_FROM_E:
        sigma = np.sqrt(mean + scene.read_noise_e**2).astype(np.float32)
    return flat, mean.astype(np.float32), sigma
