// The place of a site: by a click on the map, or from the device. Without this the form takes it as text.
import { coastline } from "./map.js";

const place = document.getElementById("pick");
const field = (name) => document.querySelector(`[name=${name}]`);
const said = document.getElementById("pick-said");
const locate = document.getElementById("pick-here");

function put(name, value) {
  field(name).value = value;
  field(name).dispatchEvent(new Event("change", { bubbles: true }));
}

// Degrees of 36.8245, 36 49 28.2 N or 36°49'28.2"N; NaN where it is something else: the service says what is wrong.
function degrees(text) {
  const parts = text.match(/\d+(?:[.,]\d*)?/g) ?? [];
  if (!parts.length || parts.length > 3) return NaN;
  const size = parts.reduce((sum, part, k) => sum + Number(part.replace(",", ".")) / 60 ** k, 0);
  return /^\s*[-−–SW]|[SW]\s*$/.test(text) ? -size : size;
}

function typed() {
  const [latitude, longitude] = [degrees(field("latitude_deg").value), degrees(field("longitude_deg").value)];
  return Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180 ? [latitude, longitude] : null;
}

function drawn() {
  const { tiles, attribution, land } = place.dataset;
  const map = L.map(place, { worldCopyJump: true, minZoom: 1, maxZoom: 18 });
  map.attributionControl.setPrefix(false);
  map.createPane("land").style.zIndex = "150";
  if (land) coastline(L, map, true);
  if (tiles) L.tileLayer(tiles, { attribution, maxZoom: 18 }).addTo(map);
  const start = typed();
  map.setView(start ?? [30, 10], start ? (tiles ? 13 : 6) : 1);
  const marker = L.marker(start ?? [0, 0], { draggable: true, keyboard: false, title: "The site" });
  if (start) marker.addTo(map);
  const follow = () => {
    const at = typed();
    if (at) marker.setLatLng(at).addTo(map);
    return at;
  };
  const take = ({ lat, lng }) => {
    const turned = ((((lng + 180) % 360) + 360) % 360) - 180;
    put("latitude_deg", lat.toFixed(5));
    put("longitude_deg", turned.toFixed(5));
    said.textContent = "Taken from the map. Zoom in: 10 m are enough for a chord. The height is still yours to tell.";
  };
  map.on("click", ({ latlng }) => take(latlng));
  marker.on("dragend", () => take(marker.getLatLng()));
  for (const name of ["latitude_deg", "longitude_deg"]) field(name).addEventListener("change", follow);
  return (at, zoom) => map.setView(at, zoom);
}

// a map asks for its size when it is made: it has to be there by then
if (place && globalThis.L) place.hidden = false;
const show = place && globalThis.L ? drawn() : () => {};

if (locate && navigator.geolocation && globalThis.isSecureContext) {
  locate.hidden = false;
  locate.addEventListener("click", () => {
    said.textContent = "Asking the device where it is.";
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        put("latitude_deg", coords.latitude.toFixed(6));
        put("longitude_deg", coords.longitude.toFixed(6));
        put("sigma_m", String(Math.max(1, Math.round(coords.accuracy))));
        const height = coords.altitude;
        if (height !== null) put("height_m", height.toFixed(0));
        const known = "Check its height: some devices tell it above the sea, not the ellipsoid.";
        const told = height === null ? "It knows no height: that is still yours to tell." : known;
        said.textContent = `Taken from the device, good to ${Math.round(coords.accuracy)} m. ${told}`;
        show([coords.latitude, coords.longitude], 15);
      },
      (error) => {
        said.textContent = `The device does not tell where it is: ${error.message}`;
      },
      { enableHighAccuracy: true, timeout: 30000 },
    );
  });
}
