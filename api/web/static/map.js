// Maps of campaigns: the coastline (or tiles, where the service names some), paths and stations as the API tells them.
import { ask, data } from "./umbra.js";

const LAND = { far: "./islands/land-110m.json", near: "./islands/land-50m.json" };
const DARK = -6; // degrees: the Sun is lower where a line is drawn in full
const TOUCH = matchMedia("(pointer: coarse)").matches;

/** Leaflet; null where it is not installed. */
async function leaflet() {
  try {
    await import("./islands/leaflet.js");
    return globalThis.L ?? null;
  } catch {
    return null;
  }
}

/** Longitude within 180 degrees of `middle`. */
const near = (east, middle) => east - 360 * Math.round((east - middle) / 360);

/** Coastline as polygons: as it is, and on both sides of that, so that a map may reach over the date line. */
export async function coastline(L, map, fine) {
  await import("./islands/topojson.js");
  const answer = await fetch(new URL(fine ? LAND.near : LAND.far, import.meta.url));
  if (!answer.ok) return;
  const atlas = await answer.json();
  const shapes = globalThis.topojson.feature(atlas, atlas.objects.land);
  const polygons = (shapes.features ?? [shapes]).flatMap((one) =>
    one.geometry.type === "MultiPolygon" ? one.geometry.coordinates : [one.geometry.coordinates]);
  const places = polygons.map((polygon) => polygon.map(unrolled));
  const shifted = (shift) => places.map((polygon) => polygon.map((ring) => ring.map(([north, east]) => [north, east + shift])));
  for (const shift of [-360, 0, 360]) {
    L.polygon(shifted(shift), { className: "map-land", interactive: false, pane: "land", smoothFactor: 0.7 }).addTo(map);
  }
}

/** A ring of the atlas as [north, east] without jumps: it may run over the date line; one about a pole is closed there. */
function unrolled(ring) {
  const found = [];
  for (const [east, north] of ring) found.push([north, found.length ? near(east, found.at(-1)[1]) : east]);
  const around = found.at(-1)[1] - found[0][1];
  if (Math.abs(around) > 180) {
    const pole = found[0][0] < 0 ? -89 : 89;
    found.push([pole, found.at(-1)[1]], [pole, found[0][1]]);
  }
  return found;
}

/** Circles of longitude and latitude. */
function graticule(L, map) {
  const lines = [];
  for (let east = -540; east <= 540; east += 15) lines.push([[-85, east], [85, east]]);
  for (let north = -75; north <= 75; north += 15) lines.push([[north, -540], [north, 540]]);
  L.polyline(lines, { className: "map-grid", interactive: false, pane: "land" }).addTo(map);
}

/**
 * A Leaflet map in `element`, with tiles or the coastline; null where Leaflet is not installed.
 * `center`: [latitude, longitude]; `fine`: the finer coastline.
 */
export async function landMap(element, { tiles = "", attribution = "", center = [20, 0], zoom = 1, fine = true } = {}) {
  const L = await leaflet();
  if (L === null) return null;
  element.hidden = false;
  const middle = center[1];
  const map = L.map(element, {
    center, zoom, minZoom: 0, maxZoom: tiles ? 18 : 11, zoomSnap: 0.25, zoomDelta: 0.5, wheelPxPerZoomLevel: 90,
    scrollWheelZoom: false, attributionControl: Boolean(tiles), maxBounds: [[-89, middle - 200], [89, middle + 200]],
  });
  map.attributionControl?.setPrefix("");
  map.createPane("land").style.zIndex = "150";
  map.createPane("band").style.zIndex = "350";
  // the wheel scrolls the page until somebody has used the map
  map.on("focus click", () => map.scrollWheelZoom.enable());
  map.on("blur", () => map.scrollWheelZoom.disable());
  L.control.scale({ imperial: false }).addTo(map);
  if (tiles) {
    L.tileLayer(tiles, { attribution, maxZoom: 18, referrerPolicy: "strict-origin-when-cross-origin" }).addTo(map);
  } else {
    graticule(L, map);
    coastline(L, map, fine);
  }
  return map;
}

/** Parts of a line that do not jump, each with the Sun low or high: [{ places: [[north, east]], dark }]. */
function parts(coordinates, sun, middle) {
  const found = [];
  coordinates.forEach((trace, number) => {
    let last = null;
    trace.forEach(([east, north], k) => {
      const place = [north, near(east, middle)];
      const dark = sun === undefined || (sun[number]?.[k] ?? DARK - 1) < DARK;
      const jumps = last !== null && Math.abs(place[1] - last.place[1]) > 180;
      if (last === null || jumps || dark !== last.dark) {
        found.push({ places: last !== null && !jumps ? [last.place, place] : [place], dark });
      } else found.at(-1).places.push(place);
      last = { place, dark };
    });
  });
  return found.filter((one) => one.places.length > 1);
}

/** Draw a line of a path; returns its places. */
function drawLine(L, map, feature, middle, told) {
  const kind = feature.properties.kind ?? "centre";
  const all = [];
  for (const part of parts(feature.geometry.coordinates, feature.properties.sun_altitude_deg, middle)) {
    const line = L.polyline(part.places, {
      className: `map-line map-${kind}${part.dark ? "" : " map-day"}`, smoothFactor: 1, weight: kind === "centre" ? 2 : 1.4,
      interactive: told !== undefined,
    }).addTo(map);
    if (told) told(line);
    all.push(...part.places);
  }
  return all;
}

/** The shadow's band between its limits, where each is one line. */
function drawBand(L, map, features, middle) {
  const limits = features.filter((one) => one.properties.kind === "limit" && one.geometry.coordinates.length === 1);
  if (limits.length !== 2) return;
  const [one, other] = limits.map((limit) => limit.geometry.coordinates[0].map(([east, north]) => [north, near(east, middle)]));
  const jumps = (line) => line.some((place, k) => k > 0 && Math.abs(place[1] - line[k - 1][1]) > 180);
  if (jumps(one) || jumps(other)) return;
  L.polygon([...one, ...other.reverse()], { className: "map-band", interactive: false, pane: "band" }).addTo(map);
}

/** The sign of a state, as the page's legend has it. */
function sign(state) {
  const kept = document.querySelector(`svg[data-mark="${CSS.escape(state)}"]`) ?? document.querySelector("svg[data-mark]");
  return kept === null ? "" : kept.outerHTML;
}

/** Text in elements: names are never markup. */
function lines(...texts) {
  const box = document.createElement("div");
  texts.filter((text) => text !== "").forEach((text, k) => {
    const row = document.createElement(k === 0 ? "strong" : "div");
    row.textContent = text;
    box.append(row);
  });
  return box;
}

function put(L, map, state, place, words, name) {
  const icon = L.divIcon({ className: "map-sign", html: sign(state), iconSize: [22, 22], iconAnchor: [11, 11], popupAnchor: [0, -9] });
  return L.marker(place, { icon, alt: name, title: name, keyboard: true }).bindPopup(words).addTo(map);
}

const minus = (value, digits) => value.toFixed(digits).replace("-", "−");

/** What a place may expect, as the table of the page tells it. */
function told(seen) {
  const km = `${Math.abs(seen.offset_km).toFixed(1)}${seen.offset_sigma_km === null ? "" : ` ± ${seen.offset_sigma_km.toFixed(1)}`} km ${seen.side} of the centre`;
  const at = `${seen.predicted_utc.slice(0, 10)} ${seen.predicted_utc.slice(11, 21)} UTC${seen.time_sigma_s === null ? "" : ` ± ${seen.time_sigma_s.toFixed(1)} s`}`;
  const chance = seen.probability === null ? "" : `probability ${(100 * seen.probability).toFixed(seen.probability < 0.1 ? 1 : 0)} %`;
  const span = seen.duration_s ? `${seen.duration_s.toFixed(1)} s` : "the predicted shadow misses it";
  const sky = `star ${minus(seen.star_altitude_deg, 0)}° high, ${seen.darkness}, Sun ${minus(seen.sun_altitude_deg, 0)}°`;
  return [at, km, chance, span, sky, seen.visible ? "" : "not visible"];
}

function degrees({ lat, lng }) {
  const east = near(lng, 0);
  return `${Math.abs(lat).toFixed(4)}° ${lat < 0 ? "S" : "N"}, ${Math.abs(east).toFixed(4)}° ${east < 0 ? "W" : "E"}`;
}

/** A click asks the API what the place may expect, and puts the place into the form below. */
function answerClicks(L, map, circumstances) {
  map.on("click", async ({ latlng }) => {
    const latitude = Math.max(-90, Math.min(90, latlng.lat)), longitude = near(latlng.lng, 0);
    const popup = L.popup({ className: "map-told" }).setLatLng(latlng).setContent(lines(degrees(latlng), "…")).openOn(map);
    for (const [name, value] of [["latitude", latitude], ["longitude", longitude]]) {
      const field = document.getElementById(`place-${name}`);
      if (field !== null) field.value = value.toFixed(5);
    }
    const height = Number(document.getElementById("place-height")?.value) || 0;
    try {
      const seen = await ask(`${circumstances}?latitude=${latitude}&longitude=${longitude}&height=${height}`);
      popup.setContent(lines(degrees(latlng), ...told(seen)));
    } catch (error) {
      popup.setContent(lines(degrees(latlng), error.message));
    }
  });
}

function ticks(L, map, features, middle) {
  const all = features.filter((one) => one.properties.kind === "instant");
  const every = Math.max(1, Math.ceil(all.length / 7));
  all.forEach((one, k) => {
    const [east, north] = one.geometry.coordinates;
    const dot = L.circleMarker([north, near(east, middle)], { radius: 3.5, weight: 1.2, className: "map-tick", interactive: true });
    dot.bindTooltip(one.properties.name.slice(11, 19), { permanent: k % every === 0 && !TOUCH, direction: "top", className: "map-time", offset: [0, -4] }).addTo(map);
  });
}

/** Longitude in the middle of a path, or of stations: about it the map is drawn. */
function middleOf(features, stations) {
  const line = features.find((one) => one.geometry.type === "MultiLineString");
  if (stations.length) return stations[Math.floor(stations.length / 2)].longitude_deg;
  if (line === undefined) return 0;
  const all = line.geometry.coordinates.flat();
  return all[Math.floor(all.length / 2)][0];
}

async function campaign(element, told) {
  const { features } = await ask(told.path);
  const stations = told.stations;
  const middle = middleOf(features, stations);
  const map = await landMap(element, { tiles: told.tiles, attribution: told.attribution, center: [0, middle] });
  if (map === null) return false;
  const L = globalThis.L;
  const path = [];
  drawBand(L, map, features, middle);
  for (const one of features) {
    if (one.geometry.type === "MultiLineString") path.push(...drawLine(L, map, one, middle));
  }
  ticks(L, map, features, middle);
  for (const one of told.sites) {
    put(L, map, "site", [one.latitude_deg, near(one.longitude_deg, middle)], lines(one.name, "your site"), `${one.name}: your site`);
  }
  for (const one of stations) {
    const state = one.state.replaceAll("_", " ");
    const rounded = one.exact ? "" : "place to 0.01°";
    put(L, map, one.state, [one.latitude_deg, near(one.longitude_deg, middle)], lines(one.station, one.observer, state, rounded), `${one.station}: ${state}`);
  }
  answerClicks(L, map, told.circumstances);
  const wide = path.length ? L.latLngBounds(path) : null;
  const close = stations.length ? L.latLngBounds(stations.map((one) => [one.latitude_deg, near(one.longitude_deg, middle)])).pad(0.35) : null;
  const fit = (bounds) => map.fitBounds(bounds, { padding: [18, 18], maxZoom: 8 });
  if (close ?? wide) fit(close ?? wide);
  if (close && wide) views(L, map, [["Stations", close], ["Whole path", wide]], fit);
  return true;
}

/** Buttons for parts of the map. */
function views(L, map, shown, fit) {
  const control = L.control({ position: "topright" });
  control.onAdd = () => {
    const box = L.DomUtil.create("div", "map-views");
    for (const [name, bounds] of shown) {
      const button = L.DomUtil.create("button", "button small", box);
      button.type = "button";
      button.textContent = name;
      button.addEventListener("click", () => fit(bounds));
    }
    L.DomEvent.disableClickPropagation(box);
    return box;
  };
  control.addTo(map);
}

async function calls(element, told) {
  const { features } = await ask(told.paths);
  const map = await landMap(element, { tiles: told.tiles, attribution: told.attribution, center: [25, 10], zoom: 1, fine: false });
  if (map === null) return false;
  const L = globalThis.L;
  const all = [];
  for (const one of features) {
    const { name, at, star_mag: mag, campaign: id } = one.properties;
    const words = lines(name, `${at.slice(0, 16).replace("T", " ")} UTC`, mag === null ? "" : `star of magnitude ${mag.toFixed(1)}`);
    const link = document.createElement("a");
    link.href = `/campaigns/${id}`;
    link.textContent = "To the campaign";
    words.append(link);
    all.push(...drawLine(L, map, one, 0, (line) => {
      line.bindPopup(words);
      line.bindTooltip(name, { sticky: true, className: "map-time" });
    }));
  }
  if (all.length) map.fitBounds(L.latLngBounds(all), { padding: [12, 12], maxZoom: 4 });
  return true;
}

/** Where no map can be shown: the picture that the server draws. */
function picture(element) {
  if (!element.dataset.picture) return;
  const image = document.createElement("img");
  image.src = element.dataset.picture;
  image.alt = element.dataset.alt ?? "";
  element.replaceWith(image);
}

for (const element of document.querySelectorAll("[data-map]")) {
  const asked = data(element.dataset.map);
  const draw = asked.kind === "calls" ? calls : campaign;
  draw(element, asked).then((drawn) => drawn || picture(element)).catch(() => picture(element));
}
