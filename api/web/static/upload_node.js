// An upload that goes by a node: begun at the service, sent to the node by a ticket for that one upload.
// No cookie and no token goes there.

const VERSION = { "Tus-Resumable": "1.0.0" };

// A request to the service itself; raises what keeps it from its answer.
async function asked(url, csrf, options) {
  const headers = { ...VERSION, "X-CSRF-Token": csrf, ...options.headers };
  const answer = await fetch(url, { method: "POST", ...options, headers });
  if (answer.ok) return answer;
  const body = await answer.text();
  throw Object.assign(new Error(), { originalResponse: { getStatus: () => answer.status, getBody: () => body } });
}

function pairs(metadata) {
  const encoded = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));
  return Object.entries(metadata).map(([key, value]) => `${key} ${encoded(value)}`).join(",");
}

export class Leave {
  constructor(node, uploads, csrf) {
    Object.assign(this, { name: node, uploads, csrf, location: null, headers: {} });
  }

  // Begin at the service, unless it is `known` there; then all that is sent goes to the node. The address here.
  async direct(options, size, known) {
    let here = known;
    if (!here) {
      const headers = { "Upload-Length": String(size), "Upload-Metadata": pairs(options.metadata) };
      here = (await asked(this.uploads, this.csrf, { headers })).headers.get("Location");
    }
    const body = JSON.stringify({ node: this.name });
    const headers = { "Content-Type": "application/json" };
    const ticket = await (await asked(`${here}/tickets`, this.csrf, { body, headers })).json();
    this.location = ticket.location;
    this.headers = { "Upload-Ticket": ticket.ticket };
    options.endpoint = new URL(this.uploads, ticket.url).href;
    options.uploadUrl = known ? ticket.location : null;
    options.headers = this.headers;
    return here;
  }

  // What the node says; null where it does not.
  async told() {
    const answer = await fetch(this.location, { headers: this.headers }).catch(() => null);
    return answer?.ok ? answer.json() : null;
  }

  async end() {
    if (!this.location) return;
    const headers = { ...VERSION, ...this.headers };
    await fetch(this.location, { method: "DELETE", headers }).catch(() => null);
  }
}
