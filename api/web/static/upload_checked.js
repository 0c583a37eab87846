// Checksums of what is sent: of each piece, for the service to look at, and of the whole file, to compare at the end.

// Sends each piece with the SHA-256 of just the bytes that go out; crypto.subtle is there by https alone.
class Checked {
  constructor(request) {
    this.request = request;
    this.over = false;
  }

  getMethod() {
    return this.request.getMethod();
  }

  getURL() {
    return this.request.getURL();
  }

  setHeader(name, value) {
    this.request.setHeader(name, value);
  }

  getHeader(name) {
    return this.request.getHeader(name);
  }

  setProgressHandler(handler) {
    this.request.setProgressHandler(handler);
  }

  getUnderlyingObject() {
    return this.request.getUnderlyingObject();
  }

  async send(body = null) {
    if (!(body instanceof Blob)) return this.request.send(body);
    const content = await body.arrayBuffer();
    if (globalThis.crypto?.subtle) {
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
      this.request.setHeader("Upload-Checksum", `sha256 ${btoa(String.fromCharCode(...digest))}`);
    }
    return this.over ? new Promise(() => {}) : this.request.send(content);
  }

  abort() {
    this.over = true;
    return this.request.abort();
  }
}

export class CheckedStack {
  constructor() {
    this.plain = new tus.DefaultHttpStack();
  }

  createRequest(method, url) {
    return new Checked(this.plain.createRequest(method, url));
  }

  getName() {
    return "checked";
  }
}

// SHA-256 of a whole file, by a worker of its own; null where it cannot be had.
export function digestOf(file, hashing) {
  return new Promise((resolve) => {
    const worker = new Worker(hashing, { type: "module" });
    const end = (digest) => {
      worker.terminate();
      resolve(digest);
    };
    worker.addEventListener("message", ({ data }) => end(data.sha256 ?? null));
    worker.addEventListener("error", () => end(null));
    worker.postMessage(file);
  });
}
