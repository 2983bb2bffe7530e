// One run: the weights, losses and pictures of its epochs, as they come in; and the table of all runs.

import { short } from "./plane.mjs";

export class Run {
  constructor(first, settings, call) {
    const { epochs } = settings;
    const { weights: n, X, y, box, batches } = first;
    Object.assign(this, { settings, call, n, X, y, box, batches });
    this.w = new Float64Array(epochs * this.n).fill(NaN);
    this.b = new Float64Array(epochs).fill(NaN);
    this.loss = new Float64Array(epochs).fill(NaN);
    this.pictures = new Map();
    this.pending = new Map();
    this.have = 0;
    this.join(first);
    this.keep(0, first);
  }

  join(part) {
    this.w.set(part.w, this.n * part.from);
    this.b.set(part.b, part.from);
    this.loss.set(part.loss, part.from);
    this.have = part.from + part.b.length;
    this.done = part.done;
    this.stopped = part.stopped;
    this.suspect = part.suspect;
  }

  keep(start, { shade, lines }) {
    const [k, rows, columns] = shade.shape, cells = rows * columns;
    for (let i = 0; i < k; i++) {
      this.pictures.set(start + i, { shade: shade.subarray(i * cells, (i + 1) * cells), line: lines.subarray(5 * i, 5 * i + 5) });
    }
  }

  // The picture of an epoch, with some after it: they are asked for before they are played.
  need(at) {
    if (at < 0 || at >= this.have || this.pictures.has(at)) return Promise.resolve();
    if (!this.pending.has(at)) {
      const asked = this.call("paint", { start: at, stop: Math.min(this.have, at + 20) }).then((got) => {
        this.keep(at, got);
        this.pending.delete(at);
      });
      this.pending.set(at, asked);
    }
    return this.pending.get(at);
  }

  weights(at) {
    return Array.from(this.w.subarray(this.n * at, this.n * (at + 1)));
  }
}

// The table of runs, the newest first. A run counts when nothing is changed for a moment.
let later = 0;
export function remember(app, accuracy) {
  clearTimeout(later);
  const { run, shownView } = app, { data, lr, bs, epochs, features, normalise, keys } = run.settings;
  if (shownView !== "run") return;
  later = setTimeout(() => {
    const rows = document.getElementById("runs").tBodies[0], row = rows.insertRow(0), loss = run.loss[run.have - 1];
    const how = [features === "spline" && "splines", !normalise && "raw", ...keys].filter(Boolean).join(", ") || "plain";
    const cells = [data, short(lr), bs, run.have === epochs ? epochs : `${run.have} of ${epochs}`, how];
    const results = [Number.isFinite(loss) ? loss.toPrecision(4) : "NaN", typeof accuracy === "number" ? accuracy.toFixed(3) : "refused"];
    for (const text of [...cells, ...results]) row.insertCell().textContent = text;
    const again = Object.assign(document.createElement("button"), { type: "button", textContent: "again" });
    again.setAttribute("aria-label", `Run again: ${cells.join(", ")}`);
    again.onclick = () => app.set({ ...run.settings, keys: [...keys] });
    row.insertCell().append(again);
    while (rows.rows.length > 12) rows.deleteRow(12);
  }, 600);
}
