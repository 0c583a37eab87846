"""What a scene's camera adds: flat field, dark current, hot and dead pixels, glow, mosaic, digitisation."""

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from reduction.synthetic.scene import Scene

Floats = NDArray[np.float64]

NORMAL_FROM_E = 100.0
"""Sky electrons per pixel from which one normal draw stands for Poisson noise (see `Scene`)."""

_PIXELS_STREAM = 3  # what is fixed to the sensor
_CHANNELS = {"r": 0, "g": 1, "b": 2}


@dataclass(frozen=True, slots=True, eq=False)
class Sensor:
    """What every frame of a scene shares; arrays are ``(height, width)``.

    Attributes
    ----------
    flat : array
        Sensitivity.
    mean : array, float32
        Electrons of sky and dark.
    sigma : array or None
        Noise of sky, dark and reading where one normal draw will do.
    channel : array or None
        0, 1, 2 for red, green, blue pixels; None without a mosaic.
    blinking : array
        Indices (flat) of the hot pixels that are on in half of the frames, by chance.
    blinking_e : array
        Electrons by which those fall short when they are off.
    """

    flat: Floats
    mean: NDArray[np.float32]
    sigma: NDArray[np.float32] | None
    channel: NDArray[np.intp] | None
    blinking: NDArray[np.intp]
    blinking_e: NDArray[np.float32]


@functools.lru_cache(maxsize=4)
def sensor(scene: "Scene") -> Sensor:
    """What is fixed to the sensor of a scene."""
    cx, cy = (scene.width - 1) / 2.0, (scene.height - 1) / 2.0
    y, x = np.ogrid[: scene.height, : scene.width]
    corner2 = max(cx**2 + cy**2, 1.0)
    flat = 1.0 - scene.vignetting * ((x - cx) ** 2 + (y - cy) ** 2) / corner2
    if scene.pixel_rms:
        rng = np.random.default_rng((scene.seed, _PIXELS_STREAM, 0))
        flat = np.maximum(flat * (1.0 + scene.pixel_rms * rng.standard_normal(flat.shape)), 0.0)
    if scene.dead_pixels:
        rng = np.random.default_rng((scene.seed, _PIXELS_STREAM, 2))
        flat = flat.copy()
        flat.reshape(-1)[rng.choice(flat.size, scene.dead_pixels, replace=False)] = 0.0
    channel = mosaic(scene)
    colour = 1.0 if channel is None else np.array(scene.sky_colour)[channel]
    mean = scene.sky_e * colour * flat + dark(scene)
    sigma = None
    where, extra = _hot(scene)
    blinks = round(scene.hot_blinking * where.size)
    if mean.min() >= NORMAL_FROM_E:
        sigma = np.sqrt(mean + scene.read_noise_e**2).astype(np.float32)
    shortfall = extra[:blinks].astype(np.float32)
    return Sensor(flat, mean.astype(np.float32), sigma, channel, where[:blinks], shortfall)


def mosaic(scene: "Scene") -> NDArray[np.intp] | None:
    """Colour of each pixel, 0 to 2; None where there is no mosaic."""
    if scene.colour == "mono":
        return None
    cell = np.array([_CHANNELS[letter] for letter in scene.colour], np.intp).reshape(2, 2)
    tiles = ((scene.height + 1) // 2, (scene.width + 1) // 2)
    return np.tile(cell, tiles)[: scene.height, : scene.width]


def dark(scene: "Scene") -> Floats:
    """Electrons per pixel and frame that no light makes."""
    out = np.full((scene.height, scene.width), scene.dark_e)
    if scene.glow_e:
        y, x = np.ogrid[: scene.height, : scene.width]
        away = np.hypot(x - (scene.width - 1), y - (scene.height - 1))
        out += scene.glow_e * np.exp(-away / scene.glow_px)
    where, extra = _hot(scene)
    out.reshape(-1)[where] += extra
    return out


def _hot(scene: "Scene") -> tuple[NDArray[np.intp], Floats]:
    """Hot pixels (flat index) and their electrons."""
    if not scene.hot_pixels:
        return np.empty(0, np.intp), np.empty(0)
    rng = np.random.default_rng((scene.seed, _PIXELS_STREAM, 1))
    where = rng.choice(scene.height * scene.width, scene.hot_pixels, replace=False)
    extra = np.full(where.size, float(scene.hot_e))
    if scene.hot_spread:
        extra *= 10.0 ** (scene.hot_spread * rng.standard_normal(where.size))
    return where, extra


def background(scene: "Scene", rng: np.random.Generator) -> NDArray[np.float32]:
    """Sky, dark and read noise of one frame, electrons."""
    fixed = sensor(scene)
    noise = rng.standard_normal(fixed.mean.shape, dtype=np.float32)
    if fixed.sigma is None:
        noise *= np.float32(scene.read_noise_e)
        noise += rng.poisson(fixed.mean)
    else:
        noise *= fixed.sigma
        noise += fixed.mean
    if fixed.blinking.size:
        off = rng.random(fixed.blinking.size) < 0.5
        noise.reshape(-1)[fixed.blinking[off]] -= fixed.blinking_e[off]
    return noise


def full_adu(scene: "Scene") -> float:
    """Highest value that the bits hold."""
    return float(2.0**scene.bit_depth - 1.0)


def recorded_adu(scene: "Scene", linear: Any) -> Any:
    """Recorded value of a linear one, both ADU, by the camera's gamma."""
    if scene.gamma == 1.0:
        return linear
    full = full_adu(scene)
    return full * (np.maximum(linear, 0.0) / full) ** scene.gamma


def digitise(scene: "Scene", electrons: NDArray[np.float32]) -> NDArray[np.float32]:
    """Electrons to recorded ADU before rounding, in place where it can be."""
    electrons *= np.float32(1.0 / scene.gain_e_per_adu)
    electrons += np.float32(scene.offset_adu)
    return np.asarray(recorded_adu(scene, electrons), np.float32)


def rounded(scene: "Scene", adu: NDArray[np.float32], top: float) -> NDArray[Any]:
    """Whole numbers within what a pixel takes."""
    np.rint(adu, out=adu)
    np.clip(adu, 0.0, top, out=adu)
    return adu.astype(scene.dtype)
