// The loss over two weights, in steps of shade, with the path that the run takes on it.

import { fit, label, mark, short } from "./plane.mjs";

const LEVELS = 14;

export class Surface {
  constructor(canvas) {
    this.canvas = canvas;
    this.tile = document.createElement("canvas");
    this.bowl = null;
  }

  set(bowl) {
    this.bowl = bowl;
    const [n] = bowl.loss.shape, finite = bowl.loss.filter(Number.isFinite);
    const low = finite.reduce((a, b) => Math.min(a, b), Infinity), high = finite.reduce((a, b) => Math.max(a, b), -Infinity);
    this.tile.width = this.tile.height = n;
    const t = this.tile.getContext("2d"), pixels = t.createImageData(n, n);
    for (let i = 0; i < n * n; i++) {
      const share = Math.sqrt(Math.max(0, (bowl.loss[i] - low) / (high - low || 1)));
      const q = Number.isFinite(share) ? Math.floor(share * LEVELS) / LEVELS : 1;
      pixels.data.set([50 + 170 * q, 22 + 205 * q, 95 + 140 * q, 255], 4 * i);
    }
    t.putImageData(pixels, 0, 0);
  }

  draw(w, n, at) {
    const { g, width, height } = fit(this.canvas);
    g.clearRect(0, 0, width, height);
    if (!this.bowl) return;
    const { reach, pair } = this.bowl;
    const px = (v) => ((v + reach) / (2 * reach)) * width, py = (v) => (1 - (v + reach) / (2 * reach)) * height;
    g.imageSmoothingEnabled = true;
    g.drawImage(this.tile, 0, 0, width, height);
    const [i, j] = pair, spot = (e) => [px(w[n * e + i]), py(w[n * e + j])];
    for (const [style, wide] of [["#1b0f33", 4], ["#ffffff", 1.8]]) {
      g.beginPath();
      g.strokeStyle = style;
      g.lineWidth = wide;
      g.moveTo(px(0), py(0));
      for (let e = 0; e <= at; e++) if (spot(e).every(Number.isFinite)) g.lineTo(...spot(e));
      g.stroke();
    }
    const end = spot(at);
    if (end.every(Number.isFinite)) mark(g, 0, ...end, 5, "#ffc93c", "#1b0f33");
    label(g, `w${i + 1} →  w${j + 1} ↑  ±${short(reach)}`, 7, 16);
  }
}
