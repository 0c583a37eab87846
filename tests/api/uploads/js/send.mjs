// Sends a file by tus-js-client: node send.mjs OPTIONS(JSON). Says on stdout what happens, a JSON line each.
import * as fs from "node:fs";
import * as tus from "tus-js-client";

const { endpoint, key, path, metadata, chunkSize, inCreation, stopAt, terminate, uploadUrl } = JSON.parse(process.argv[2]);
const say = (what, more = {}) => process.stdout.write(JSON.stringify({ what, ...more }) + "\n");
let stopped = false;

const upload = new tus.Upload(fs.createReadStream(path), {
  endpoint,
  uploadUrl: uploadUrl ?? null,
  uploadSize: fs.statSync(path).size,
  headers: { "X-API-Key": key },
  metadata,
  chunkSize,
  uploadDataDuringCreation: inCreation ?? false,
  retryDelays: [100, 200, 500, 1000, 2000, 3000, 3000, 3000, 5000, 5000, 5000, 5000, 5000, 5000, 10000],
  onChunkComplete: async (_size, accepted, total) => {
    say("chunk", { accepted, total });
    if (stopAt !== undefined && accepted >= stopAt && !stopped) {
      stopped = true;
      await upload.abort(terminate ?? false);
      say("stopped", { url: upload.url });
    }
  },
  onShouldRetry: (error) => {
    say("retry", { status: error.originalResponse ? error.originalResponse.getStatus() : 0 });
    return true;
  },
  onError: (error) => {
    say("error", { text: String(error) });
    process.exitCode = 1;
  },
  onSuccess: () => say("done", { url: upload.url }),
});
upload.start();
