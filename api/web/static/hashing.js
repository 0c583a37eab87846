// Worker: told a File, answers {sha256} of it, or {problem} where it cannot be read.
import { Sha256 } from "./sha256.js";

const STEP = 4 << 20;

self.addEventListener("message", async ({ data: file }) => {
  try {
    const hash = new Sha256();
    for (let at = 0; at < file.size; at += STEP) {
      hash.update(new Uint8Array(await file.slice(at, at + STEP).arrayBuffer()));
    }
    self.postMessage({ sha256: hash.hex() });
  } catch (error) {
    self.postMessage({ problem: String(error.message ?? error) });
  }
});
