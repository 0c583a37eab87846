// Words of uploads: sizes, spans, and what went wrong.

const UNITS = ["bytes", "kB", "MB", "GB", "TB"];

export function bytes(count) {
  let unit = 0;
  let size = count;
  while (size >= 999.5 && unit < UNITS.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${unit && size < 99.95 ? size.toFixed(size < 9.995 ? 2 : 1) : Math.round(size)} ${UNITS[unit]}`;
}

export function lasting(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

export function share(part, whole) {
  return whole ? `${Math.floor((100 * part) / whole)} %` : "100 %";
}

export function statusOf(error) {
  return error.originalResponse ? error.originalResponse.getStatus() : 0;
}

export function isUnreadable(error) {
  return ["NotReadableError", "NotFoundError"].includes(error.causingError?.name);
}

// What went wrong, in the words of the service, or of the node that it is sent to, where they have some.
export function reason(error, node = "") {
  const status = statusOf(error);
  if (node && status === 401) return "the leave to send there has ended: go on, and there is another";
  if (isUnreadable(error)) return "the file was changed or moved on this device; choose it again";
  if (status === 401 || (status === 403 && /token/i.test(error.originalResponse.getBody() ?? ""))) {
    return "you are logged out; log in, come back here and choose the same file: what has arrived is kept";
  }
  try {
    const { detail } = JSON.parse(error.originalResponse.getBody());
    if (detail) return detail;
  } catch {
    // no answer, or one of something between here and the service
  }
  const there = node ? `the node ${node}` : "the service";
  return status ? `${there} answered ${status}` : `there is no connection to ${there}`;
}
