"""A recording as a description: what the telescope saw, frame by frame."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from reduction.synthetic.camera import background, dark, digitise, full_adu, recorded_adu, rounded, sensor
from reduction.synthetic.overlay import Overlay
from reduction.synthetic.psf import reach_px, star_image
from reduction.synthetic.sky import Bump, Floats, Occultation, Response, SceneStar, Truth

CalibrationKind = Literal["bias", "dark", "flat"]
Mosaic = Literal["mono", "rggb", "grbg", "gbrg", "bggr"]
Knots = tuple[tuple[float, float], ...]

_PIXELS, _WIND, _SEEING, _, _SPARKLE, _ROWS = range(6)
_SECOND_FIELD = 20  # added to a stream's number
_CALIBRATION: dict[CalibrationKind, int] = {"bias": 10, "dark": 11, "flat": 12}
_FLAT_LEVEL_E = 20_000.0


@dataclass(frozen=True, slots=True)
class Scene:
    """A synthetic recording. Every frame follows from (`seed`, frame number) alone.

    Electrons are drawn as Poisson numbers; where sky and dark give `NORMAL_FROM_E` electrons or more
    in every pixel, that part and the read noise are one normal draw of the same mean and variance
    (skewness below 0.1), stars stay Poisson. ADU are rounded and clipped as a camera does.

    With `fields`, a frame is two fields of alternate rows, exposed for ``exposure_s / 2`` each, the second
    ``cadence_s / 2`` after the first. Sky, wind, seeing and event are those of each field's own instant;
    `SceneStar.flux_e` is what a frame would hold if all its rows were of that field.

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
    scale_change : float
        Growth of the field about the frame's centre over the whole recording, relative.
    transparency : tuple of (float, float)
        (fraction of the recording, transmission), smoothly joined; empty is clear.
    opaque : tuple of (int, int)
        Frames, from and to (excluded), on which no star's light comes through.
    scintillation : float
        Relative rms of each star's flux, independent by star and frame.
    fwhm_px, beta : float
        Seeing; Gaussian unless `beta`, a Moffat exponent, is given.
    seeing : tuple of (float, float)
        (fraction of the recording, factor of `fwhm_px`), smoothly joined; empty is steady.
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
        Number of hot pixels and their electrons per frame (the median, with `hot_spread`).
    hot_spread : float
        Standard deviation of the decimal logarithm of the hot pixels' electrons.
    hot_blinking : float
        Fraction of the hot pixels that are on in half of the frames only, by chance.
    dead_pixels : int
        Number of pixels without sensitivity.
    glow_e, glow_px : float
        Amplifier glow: electrons per frame in the last pixel of the last row, and the distance over which
        it falls by e, pixels.
    row_noise_adu : float
        Random offset of each row on each frame, rms.
    gamma : float
        Recorded = full * (linear / full) ** gamma, full being the highest value of the bits.
    colour : str
        ``mono``, or a mosaic of red, green and blue pixels: ``rggb``, ``grbg``, ``gbrg``, ``bggr``.
    sky_colour : (float, float, float)
        Response of red, green and blue pixels to the sky.
    fields : str or None
        ``top`` or ``bottom``: which rows (0, 2, 4, ... or 1, 3, 5, ...) are exposed first; None:
        all at once.
    overlay : Overlay or None
        Digits burnt into each frame (into each field, with `fields`).
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
    scale_change: float = 0.0
    transparency: Knots = ()
    opaque: tuple[tuple[int, int], ...] = ()
    scintillation: float = 0.0
    fwhm_px: float = 3.0
    beta: float | None = None
    seeing: Knots = ()
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
    hot_spread: float = 0.0
    hot_blinking: float = 0.0
    dead_pixels: int = 0
    glow_e: float = 0.0
    glow_px: float = 60.0
    row_noise_adu: float = 0.0
    gamma: float = 1.0
    colour: Mosaic = "mono"
    sky_colour: Response = (1.0, 1.0, 1.0)
    fields: Literal["top", "bottom"] | None = None
    overlay: Overlay | None = None
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
        if not self.gamma > 0.0:
            raise ValueError(f"gamma must be positive, not {self.gamma}")

    @property
    def dtype(self) -> str:
        """NumPy name of the pixel type."""
        return "uint8" if self.bit_depth <= 8 else "uint16"

    @property
    def saturation_adu(self) -> int:
        """Highest value a pixel takes."""
        well = self.offset_adu + self.full_well_e / self.gain_e_per_adu
        return round(min(full_adu(self), float(recorded_adu(self, well))))

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

    def target_light(self, frames: NDArray[np.int64], field: int = 0) -> Floats:
        """Fraction of the target's light that each frame's exposure received, 1 outside of events.

        With `fields`, that of the first (0) or the second (1) field.
        """
        start = self.exposure_number(self._sources(frames)) * self.cadence_s
        exposure_s = self.exposure_s
        if self.fields is not None:
            start = start + 0.5 * field * self.cadence_s
            exposure_s = 0.5 * exposure_s
        light = np.ones(start.shape)
        for event in self.occultations:
            inside = np.minimum(start + exposure_s, event.reappear_s) - np.maximum(start, event.disappear_s)
            light -= event.depth * np.clip(inside / exposure_s, 0.0, 1.0)
        return np.maximum(light, 0.0)

    def truth(self, frame: int, field: int = 0) -> Truth:
        """Return what frame `frame` holds; with `fields`, its first (0) or second (1) field."""
        source = self._source(frame)
        instant = source + 0.5 * field
        part = instant / max(self.frames - 1, 1)
        angle = math.radians(self.rotation_deg) * part
        scale = 1.0 + self.scale_change * part
        dx, dy = self._shift(source, field)
        cx, cy = (self.width - 1) / 2.0, (self.height - 1) / 2.0
        x0 = np.array([s.x for s in self.stars]) - cx
        y0 = np.array([s.y for s in self.stars]) - cy
        flux = np.array([s.flux_e for s in self.stars])
        shut = any(start <= source < stop for start, stop in self.opaque)
        clear = 0.0 if shut else self._between(self.transparency, instant)
        flux *= clear
        if self.scintillation:
            flux *= 1.0 + self.scintillation * self._rng(_SPARKLE, source, field).standard_normal(flux.size)
            np.maximum(flux, 0.0, out=flux)
        light = float(self.target_light(np.array([frame]), field)[0])
        flux[self.target] *= light
        seeing = 1.0
        if self.seeing_rms:
            seeing = max(0.5, 1.0 + self.seeing_rms * self._rng(_SEEING, source, field).standard_normal())
        turn_x, turn_y = scale * math.cos(angle), scale * math.sin(angle)
        return Truth(
            frame=frame,
            x=cx + dx + x0 * turn_x - y0 * turn_y,
            y=cy + dy + x0 * turn_y + y0 * turn_x,
            flux_e=flux,
            dx=dx,
            dy=dy,
            rotation_deg=math.degrees(angle),
            transparency=clear,
            target_light=light,
            fwhm_px=self.fwhm_px * seeing * self._between(self.seeing, instant),
            scale=scale,
            field=field,
        )

    def frame(self, frame: int) -> NDArray[Any]:
        """Render frame `frame`: ``(height, width)``, uint8 or uint16, ADU, a mosaic as recorded."""
        if not 0 <= frame < self.frames:
            raise IndexError(f"frame {frame} of {self.frames}")
        source = self._source(frame)
        rng = self._rng(_PIXELS, source)
        electrons = background(self, rng)
        for field, rows in enumerate(self._rows_of_fields()):
            self._shine(electrons, self.truth(frame, field), rng, rows)
        adu = digitise(self, electrons)
        if self.row_noise_adu:
            rows_rng = self._rng(_ROWS, source)
            adu += np.float32(self.row_noise_adu) * rows_rng.standard_normal((self.height, 1), np.float32)
        np.clip(adu, 0.0, float(self.saturation_adu), out=adu)
        if self.overlay is not None:
            fields = self._rows_of_fields()
            step_s = self.cadence_s / len(fields)
            for field, rows in enumerate(fields):
                text = self.overlay.text(len(fields) * source + field, step_s)
                self.overlay.burn(adu, text, full_adu(self), rows)
        return rounded(self, adu, full_adu(self))

    def _rows_of_fields(self) -> tuple[slice, ...]:
        """Rows that are exposed together, first field first."""
        if self.fields is None:
            return (slice(None),)
        first = 0 if self.fields == "top" else 1
        return slice(first, None, 2), slice(1 - first, None, 2)

    def _shine(
        self, electrons: NDArray[np.float32], truth: Truth, rng: np.random.Generator, rows: slice
    ) -> None:
        """Add the stars' electrons to some rows of a frame."""
        fixed = sensor(self)
        response = fixed.flat
        if self.fields is not None:
            response = np.zeros_like(fixed.flat)
            response[rows] = fixed.flat[rows]
        reach = reach_px(truth.fwhm_px, self.beta)
        for star, x, y, flux in zip(self.stars, truth.x, truth.y, truth.flux_e, strict=True):
            left, right = max(0, round(x) - reach), min(self.width, round(x) + reach + 1)
            top, bottom = max(0, round(y) - reach), min(self.height, round(y) + reach + 1)
            if left >= right or top >= bottom or flux <= 0.0:
                continue
            light = star_image(x - left, y - top, truth.fwhm_px, (bottom - top, right - left), self.beta)
            box = (slice(top, bottom), slice(left, right))
            expected = flux * light * response[box]
            if fixed.channel is not None:
                expected *= np.array(star.colour)[fixed.channel[box]]
            electrons[box] += rng.poisson(expected)

    def calibration_frame(self, kind: CalibrationKind, number: int) -> NDArray[Any]:
        """Render one bias, dark or flat frame, ADU; dark and flat have the exposure of the lights."""
        rng = self._rng(_CALIBRATION[kind], number)
        flat = sensor(self).flat
        if kind == "bias":
            mean = np.zeros((self.height, self.width))
        elif kind == "dark":
            mean = dark(self)
        else:
            top_e = (self.saturation_adu - self.offset_adu) * self.gain_e_per_adu
            mean = flat * min(_FLAT_LEVEL_E, 0.5 * top_e) + dark(self)
        electrons = rng.poisson(mean) + self.read_noise_e * rng.standard_normal(mean.shape)
        return rounded(self, digitise(self, electrons.astype(np.float32)), float(self.saturation_adu))

    def _rng(self, stream: int, number: int, field: int = 0) -> np.random.Generator:
        stream += _SECOND_FIELD * field
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

    def _between(self, knots: Knots, instant: float) -> float:
        """Value of smoothly joined knots at an instant, in frames; 1 without any."""
        if not knots:
            return 1.0
        at, value = zip(*knots, strict=True)
        knot = float(np.interp(instant / max(self.frames - 1, 1), at, np.arange(len(at))))
        before, part = int(knot), knot % 1.0
        after = min(before + 1, len(at) - 1)
        return float(value[before] + (value[after] - value[before]) * part * part * (3.0 - 2.0 * part))

    def _shift(self, frame: int, field: int) -> tuple[float, float]:
        part = (frame + 0.5 * field) / max(self.frames - 1, 1)
        dx, dy = self.drift_px[0] * part, self.drift_px[1] * part
        for bump in self.bumps:
            if bump.frame <= frame and (bump.duration is None or frame < bump.frame + bump.duration):
                dx, dy = dx + bump.dx, dy + bump.dy
        if self.wind_px:
            gust = self._rng(_WIND, frame, field).standard_normal(2) - self._rng(_WIND, 0).standard_normal(2)
            dx, dy = dx + self.wind_px * gust[0], dy + self.wind_px * gust[1]
        return float(dx), float(dy)
