// The state in the address, to share: what differs from the chapter's own settings.

import { CHAPTERS } from "./chapters.mjs";
import { toText } from "./own.mjs";

const NUMBERS = { lr: [0.001, 100], bs: [1, 1000], epochs: [10, 2000], seed: [0, 99999] };

export function read(hello) {
  const hash = new URLSearchParams(location.hash.slice(1));
  const id = Object.hasOwn(CHAPTERS, hash.get("chapter")) ? hash.get("chapter") : "sigmoid";
  const settings = { ...CHAPTERS[id].settings };
  if (hash.get("data") === "own" || Object.hasOwn(hello.data, hash.get("data"))) settings.data = hash.get("data");
  if (["straight", "spline"].includes(hash.get("features"))) settings.features = hash.get("features");
  if (hash.has("normalise")) settings.normalise = hash.get("normalise") === "1";
  for (const [key, [low, high]] of Object.entries(NUMBERS)) {
    const value = Number(hash.get(key));
    if (hash.has(key) && Number.isFinite(value)) settings[key] = Math.min(high, Math.max(low, key === "lr" ? value : Math.round(value)));
  }
  settings.keys = (hash.get("mistakes") ?? "").split(",").filter((key) => hello.mistakes.some((each) => each.key === key));
  // A chapter begins at its first epoch, for what comes is to be guessed; own points at what was learnt of them.
  const at = id === "own" && !hash.has("at") ? null : Math.max(0, (Number(hash.get("at")) || 1) - 1);
  return { id, settings, points: hash.get("points"), at };
}

// Return the new address; the browser allows some hundred changes a minute, so ask seldom.
export function write(app) {
  const { keys, ...settings } = app.settings, hash = new URLSearchParams({ chapter: app.chapter });
  for (const [key, value] of Object.entries(settings)) {
    if (value !== CHAPTERS[app.chapter].settings[key]) hash.set(key, typeof value === "boolean" ? Number(value) : value);
  }
  if (keys.length) hash.set("mistakes", keys);
  if (app.at > 0) hash.set("at", app.at + 1);
  if (settings.data === "own" && toText(app.rows)) hash.set("points", toText(app.rows));
  history.replaceState(null, "", `#${decodeURIComponent(hash)}`);
  return location.hash;
}
