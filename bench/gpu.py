"""``python -m bench gpu``: the CUDA kernels built, held against the CPU and timed against their floors.

A kernel's floor is the time in which the device copies as many bytes as the kernel must read and write, at
the bandwidth of a large copy measured here. Without a GPU nothing is timed and nothing is written.
"""

import json
import math
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.record import RESULTS, Record, Target
from bench.recordings import RADIUS_PX, SKY_PX, field_scene, render
from gpu_kernels import _cuda
from gpu_kernels._cuda import coarse
from gpu_kernels.align import Pattern, Stars, binning_for
from gpu_kernels.batch import coarse_shifts, locate_all
from gpu_kernels.calibrate import Development, develop
from gpu_kernels.device import Accelerator, Array, Uploader, choose, to_host
from gpu_kernels.photometry import StarMeasurements, measure
from reduction.readahead import one_ahead

FRAMES, RENDERED, INPUTS, WARM_UP = 4096, 256, 3, 3
COPY_BYTES = 2**30
GUIDES, STARS, SEARCH = 8, 24, 7
NOT_PINNED = -1
KERNELS = {
    "develop": ("develop", "repair"),
    "coarse": ("bin_sum", "column_means", "cut_above", "smooth_121", "correlate"),
    "stars": ("fit",),
    "transform": ("expect", "agree"),
    "photometry": ("aperture_sums", "clipped_sky", "hide_unseen", "optimal_sums", "finish"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Workload:
    """A field to be placed and measured: frames on the host, and what pass 1 would know of them."""

    frames: NDArray[Any]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    pattern: Pattern
    cap: float
    stars: Stars
    development: Development

    @property
    def binning(self) -> int:
        """As `reduction.tracking` takes it."""
        return binning_for(*self.frames.shape[1:])


def workload(frames: int, rendered: int) -> Workload:
    """Frames of the field that all benches use; `rendered` of them are repeated up to `frames`."""
    scene = field_scene(rendered)
    order = sorted(scene.stars, key=lambda star: -star.flux_e)[:STARS]
    x, y = np.array([star.x for star in order]), np.array([star.y for star in order])
    images = render(scene)
    factor = binning_for(scene.height, scene.width)
    rows, columns = (np.floor((z[:10] + 0.5) / factor).astype(np.int64) for z in (y, x))
    flux = np.array([star.flux_e for star in order[:10]], np.float32) / np.float32(scene.gain_e_per_adu)
    sky = float(np.median(images[0]))
    shape = (scene.height, scene.width)
    return Workload(
        np.concatenate([images] * (-(-frames // rendered)))[:frames],
        x,
        y,
        Pattern(rows, columns, flux, (scene.height // factor, scene.width // factor)),
        3.0 * float(np.median(flux)),
        Stars(scene.fwhm_px / 2.3548, float(np.var(images[0][images[0] < sky + 5.0])), 0.25, math.inf),
        Development(offset=np.full(shape, 4.0, np.float32), scale=np.full(shape, 1.01, np.float32)),
    )


def chain(work: Workload, frames: Array) -> tuple[NDArray[np.float64], StarMeasurements]:
    """Place every frame by correlation and guide stars, and measure all stars: (n, 4), and measurements."""
    n = frames.shape[0]
    every = np.zeros(n, np.int64)
    shift = work.binning * coarse_shifts(frames, work.binning, [work.pattern], every, work.cap)
    gx, gy = work.x[:GUIDES] + shift[:, :1], work.y[:GUIDES] + shift[:, 1:]
    found = locate_all(frames, gx, gy, work.stars, SEARCH, rotate=False)
    c, s, tx, ty = (found.transform[:, k, None] for k in range(4))
    sx, sy = work.x + shift[:, :1], work.y + shift[:, 1:]
    x, y = c * sx - s * sy + tx, s * sx + c * sy + ty
    seen = measure(frames, x, y, [RADIUS_PX], *SKY_PX)
    host = StarMeasurements(*(to_host(getattr(seen, field.name)) for field in fields(seen)))
    return np.stack([x[:, 0], y[:, 0]], axis=1), host


class Bench:
    """Timing on one device."""

    def __init__(self, device: Accelerator, repetitions: int, copy_bytes: int) -> None:
        self.device, self.xp, self.repetitions = device, device.library, repetitions
        self.copy_bytes = copy_bytes

    def seconds(self, run: Callable[[int], object]) -> list[float]:
        """Of each call by device events; `run` gets the number of the call, to take turns among inputs."""
        cuda = self.xp.cuda
        for k in range(WARM_UP):
            run(k)
        taken = []
        for k in range(self.repetitions):
            start, stop = cuda.Event(), cuda.Event()
            start.record()
            run(k)
            stop.record()
            stop.synchronize()
            taken.append(float(cuda.get_elapsed_time(start, stop)) / 1e3)
        return taken

    def clock(self, run: Callable[[int], object]) -> list[float]:
        """The same by the clock, for what also works on the host."""
        run(0)
        taken = []
        for k in range(self.repetitions):
            self.xp.cuda.Stream.null.synchronize()
            began = time.perf_counter()
            run(k)
            self.xp.cuda.Stream.null.synchronize()
            taken.append(time.perf_counter() - began)
        return taken

    def bandwidths(self) -> dict[str, float]:
        """Bytes a second: device to device (read and written), and host to device from pinned memory."""
        xp, size = self.xp, self.copy_bytes
        one, other = xp.zeros(size, np.uint8), xp.zeros(size, np.uint8)
        pinned = np.frombuffer(xp.cuda.alloc_pinned_memory(size), np.uint8, size)
        pinned[...] = 1
        copied = statistics.median(self.seconds(lambda _: xp.copyto(one, other)))
        sent = statistics.median(self.seconds(lambda _: one.set(pinned, stream=xp.cuda.Stream.null)))
        return {"device": 2.0 * size / copied, "host_to_device": size / sent}


def build(device: Accelerator) -> float:
    """Compile every kernel for frames of 8 bits; seconds."""
    began = time.perf_counter()
    for text, names in KERNELS.items():
        module = _cuda.module(device.library, text, "uint8")
        for name in names:
            module.get_function(name)
    return time.perf_counter() - began


def parity(work: Workload, there: Array) -> dict[str, float]:
    """Largest differences between device and CPU: positions in pixels, fluxes in sigmas."""
    place, seen = chain(work, there)
    twin_place, twin = chain(work, work.frames)
    variance = twin.area[..., 0] * twin.sky_sigma**2 * (1.0 + twin.area[..., 0] / twin.sky_count)
    sigma = np.sqrt(variance + work.stars.inv_gain * np.maximum(twin.flux[..., 0], 0.0))
    apart = np.abs(seen.flux[..., 0] - twin.flux[..., 0]) / sigma
    return {
        "position_px": float(np.nanmax(np.abs(place - twin_place))),
        "flux_sigma": float(np.nanmax(apart)),
        "status_differs": float((seen.status != twin.status).sum()),
    }


def kernels(bench: Bench, work: Workload, inputs: list[Array], bandwidth: float) -> dict[str, Any]:
    """Median time of each step and its floor, microseconds a frame."""
    xp, n = bench.xp, work.frames.shape[0]
    height, width = work.frames.shape[1:]
    pixels, bins = height * width, (height // work.binning) * (width // work.binning)
    binned = [coarse.bin_sum(frames, work.binning) for frames in inputs]
    flat = [coarse.flattened(one, work.cap) for one in binned]
    points = [getattr(work.pattern, name)[None] for name in ("rows", "columns", "weights")]
    rows, columns, weights = points[0].astype(np.int32), points[1].astype(np.int32), points[2]
    which = np.zeros(n, np.int32)
    x, y = (xp.asarray(np.tile(z, (n, 1))) for z in (work.x, work.y))
    gx, gy = np.tile(work.x[:GUIDES], (n, 1)), np.tile(work.y[:GUIDES], (n, 1))
    item, reach = work.frames.dtype.itemsize, SEARCH + max(2, math.ceil(2.5 * work.stars.sigma)) + 3

    def of(pool: list[Array], step: Callable[[Array], object]) -> Callable[[int], object]:
        return lambda k: step(pool[k % len(pool)])

    steps: dict[str, tuple[float, Callable[[int], object]]] = {
        "develop": (pixels * (item + 4.0), of(inputs, lambda f: develop(f, work.development))),
        "bin_sum": (pixels * item + 4.0 * bins, of(inputs, lambda f: coarse.bin_sum(f, work.binning))),
        "flattened": (8.0 * bins, of(binned, lambda b: coarse.flattened(b, work.cap))),
        "correlate": (4.0 * bins, of(flat, lambda f: coarse.correlate(f, rows, columns, weights, which))),
        "locate": (
            GUIDES * (2.0 * reach + 1.0) ** 2 * item,
            of(inputs, lambda f: locate_all(f, gx, gy, work.stars, SEARCH, rotate=False)),
        ),
        "measure": (
            STARS * math.pi * SKY_PX[1] ** 2 * item,
            of(inputs, lambda f: measure(f, x, y, [RADIUS_PX], *SKY_PX)),
        ),
    }
    found: dict[str, Any] = {}
    for name, (size, run) in steps.items():
        taken = bench.seconds(run)
        floor = size * n / bandwidth
        found[name] = {
            "us_per_frame": statistics.median(taken) / n * 1e6,
            "floor_us_per_frame": floor / n * 1e6,
            "times_floor": statistics.median(taken) / floor,
            "seconds": taken,
        }
    return found


def streamed(work: Workload, device: Accelerator, block: int) -> int:
    """The chain on frames that come from the host; frames done."""
    uploader = Uploader(device, work.frames.shape[1:], work.frames.dtype, block)

    def parts() -> Iterator[NDArray[Any]]:
        for low in range(0, work.frames.shape[0], block):
            yield work.frames[low : low + block]

    done = 0
    for _, there in one_ahead(uploader.blocks(parts())):
        chain(work, there)
        done += there.shape[0]
    return done


def gpu(
    device: Accelerator, frames: int = FRAMES, rendered: int = RENDERED, repetitions: int = 20,
    copy_bytes: int = COPY_BYTES,
) -> Record:  # fmt: skip
    """Everything, on one device."""
    xp, work = device.library, workload(frames, rendered)
    bench = Bench(device, repetitions, copy_bytes)
    height, width = work.frames.shape[1:]
    record = Record("gpu", {"device": device.model, "width": width, "height": height, "dtype": "uint8"})
    record.setting |= {"frames": frames, "stars": STARS, "guides": GUIDES, "repetitions": repetitions}
    with xp.cuda.Device(device.number):
        record.values["build_s"] = build(device)
        few = min(rendered, frames)
        small = Workload(
            work.frames[:few], work.x, work.y, work.pattern, work.cap, work.stars, work.development
        )
        record.values["parity"] = parity(small, xp.asarray(small.frames))
        rates = bench.bandwidths()
        record.values["bandwidth_gb_s"] = {name: rate / 1e9 for name, rate in rates.items()}
        inputs = [xp.asarray(np.roll(work.frames, k, axis=0)) for k in range(INPUTS)]
        record.values["kernels"] = kernels(bench, work, inputs, rates["device"])
        resident = frames / statistics.median(bench.clock(lambda k: chain(work, inputs[k % INPUTS])))
        block = max(1, 64 * 2**20 // work.frames[0].nbytes)
        coming = frames / statistics.median(bench.clock(lambda _: streamed(work, device, block)))
    floor = rates["host_to_device"] / work.frames[0].nbytes
    record.values["frames_per_s"] = {"resident": resident, "streamed": coming, "streamed_floor": floor}
    agreed = record.values["parity"]
    record.targets = [
        Target("position against the CPU, px", 1e-3, agreed["position_px"], at_least=False),
        Target("flux against the CPU, sigma", 1e-3, agreed["flux_sigma"], at_least=False),
        Target("frames a second, device-resident", 1e5, resident),
        Target("streamed, over the host-to-device floor", 0.5, coming / floor),
    ]
    return record


def main(out: Path | None, repetitions: int) -> int:
    """Run on the GPU with the most free memory; 4 where there is none, 1 where a target was missed."""
    device = choose("auto")
    if device is None:
        print("bench gpu: no CUDA device here (or less than 1 GiB of it free): nothing was run or written")
        return 4
    record = gpu(device, repetitions=max(repetitions, 20))
    record.write(out or RESULTS / "gpu.json", NOT_PINNED)
    print(record.text())
    print(json.dumps(record.values["kernels"], indent=1))
    return int(any(not target.met for target in record.targets))
