// The plane of the two features: shaded probability, points, boundary; points and lines set by hand.

const known = new Map(); // colours, until the scheme changes
const css = (name) => known.get(name) ?? (known.set(name, getComputedStyle(document.documentElement).getPropertyValue(name).trim()), css(name));
const rgb = (name) => css(name).match(/\w\w/g).map((two) => parseInt(two, 16));
export const colour = css;

// Give a canvas as many pixels as the screen shows of it; return its context in CSS pixels.
export function fit(canvas) {
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  const width = canvas.clientWidth, height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const g = canvas.getContext("2d");
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { g, width, height };
}

export const short = (v) => {
  if (!Number.isFinite(v)) return v === null ? "NaN" : String(v);
  const size = Math.abs(v);
  return size !== 0 && (size < 1e-3 || size >= 1e6) ? v.toExponential(1) : String(Number(v.toPrecision(3)));
};

export function mark(g, kind, x, y, r, fill, edge) {
  g.beginPath();
  if (kind) {
    g.moveTo(x, y - 1.25 * r);
    g.lineTo(x + 1.15 * r, y + 0.85 * r);
    g.lineTo(x - 1.15 * r, y + 0.85 * r);
    g.closePath();
  } else g.arc(x, y, r, 0, 7);
  g.fillStyle = fill;
  g.fill();
  if (edge) {
    g.strokeStyle = edge;
    g.stroke();
  }
}

// Words on a picture, on a plate of their own.
export function label(g, text, x, y, align = "left") {
  g.font = "11px system-ui, sans-serif";
  const w = g.measureText(text).width;
  g.fillStyle = css("--card");
  g.fillRect((align === "right" ? x - w : x) - 3, y - 11, w + 6, 15);
  g.fillStyle = css("--ink");
  g.textAlign = align;
  g.fillText(text, x, y);
}

export class Plane {
  constructor(canvas) {
    this.canvas = canvas;
    this.tile = document.createElement("canvas");
    this.layer = document.createElement("canvas");
    this.cross = null; // the keyboard's cursor
    this.guess = null; // ends of a drawn line
    this.theme();
  }

  theme() {
    known.clear();
    const low = rgb("--blue-area"), mid = rgb("--even"), high = rgb("--orange-area"), none = rgb("--none");
    this.ramp = Array.from({ length: 256 }, (_, i) => {
      if (i === 255) return none;
      const t = i / 254, [a, b, k] = t < 0.5 ? [low, mid, 2 * t] : [mid, high, 2 * t - 1];
      return a.map((v, j) => Math.round(v + (b[j] - v) * k));
    });
    this.layerOf = null;
  }

  // Pixels of a point and back.
  px(x, y) {
    const [x0, y0, x1, y1] = this.box;
    return [((x - x0) / (x1 - x0)) * this.width, (1 - (y - y0) / (y1 - y0)) * this.height];
  }
  at(u, v) {
    const [x0, y0, x1, y1] = this.box;
    return [x0 + (u / this.width) * (x1 - x0), y1 - (v / this.height) * (y1 - y0)];
  }

  draw({ X, y, box, shade, line, rows }) {
    const { g, width, height } = fit(this.canvas);
    Object.assign(this, { box, width, height, X, y });
    g.clearRect(0, 0, width, height);
    if (shade) this.shades(g, shade);
    label(g, `x1: ${short(box[0])} to ${short(box[2])}`, width - 7, height - 7, "right");
    label(g, `x2: ${short(box[1])} to ${short(box[3])}`, 7, 16);
    this.points(g);
    if (rows?.length && rows.length < y.length) this.rings(g, rows);
    if (line) this.line(g, line);
    else if (shade) this.contour(g, shade);
    if (this.guess) this.guessed(g);
    if (this.cross) this.crossed(g);
  }

  shades(g, shade) {
    const n = Math.round(Math.sqrt(shade.length));
    this.tile.width = this.tile.height = n;
    const t = this.tile.getContext("2d"), pixels = t.createImageData(n, n);
    for (let i = 0; i < n * n; i++) {
      const c = this.ramp[shade[i]];
      pixels.data[4 * i] = c[0];
      pixels.data[4 * i + 1] = c[1];
      pixels.data[4 * i + 2] = c[2];
      pixels.data[4 * i + 3] = 255;
    }
    t.putImageData(pixels, 0, 0);
    g.imageSmoothingEnabled = true;
    // The cells' middles are the grid: the first and the last are on the frame.
    const dx = this.width / (n - 1), dy = this.height / (n - 1);
    g.drawImage(this.tile, -dx / 2, -dy / 2, this.width + dx, this.height + dy);
  }

  // Points do not change while it plays: they are drawn once, and copied.
  points(g) {
    const { X, y, width, height, layer } = this, ratio = this.canvas.width / width;
    const key = [width, height, ...this.box].join();
    if (this.layerOf !== X || this.layerKey !== key) {
      layer.width = this.canvas.width;
      layer.height = this.canvas.height;
      const l = layer.getContext("2d");
      l.setTransform(ratio, 0, 0, ratio, 0, 0);
      const r = y.length > 2000 ? 1.6 : width < 400 ? 3 : 4, edge = css("--card");
      for (let i = 0; i < y.length; i++) {
        const [u, v] = this.px(X[2 * i], X[2 * i + 1]);
        mark(l, y[i], u, v, r, css(y[i] ? "--orange" : "--blue"), edge);
      }
      this.layerOf = X;
      this.layerKey = key;
    }
    g.drawImage(layer, 0, 0, width, height);
  }

  rings(g, rows) {
    g.strokeStyle = css("--ink");
    g.lineWidth = 1.5;
    for (const i of rows) {
      const [u, v] = this.px(this.X[2 * i], this.X[2 * i + 1]);
      g.beginPath();
      g.arc(u, v, 7, 0, 7);
      g.stroke();
    }
  }

  stroke(g, a, b, dash = []) {
    for (const [style, wide] of [[css("--card"), 5], [css("--ink"), 2.2]]) {
      g.beginPath();
      g.setLineDash(dash);
      g.strokeStyle = style;
      g.lineWidth = wide;
      g.moveTo(...a);
      g.lineTo(...b);
      g.stroke();
    }
    g.setLineDash([]);
  }

  line(g, [x0, y0, x1, y1, endless]) {
    if (![x0, y0, x1, y1].every(Number.isFinite)) return;
    const a = this.px(x0, y0), b = this.px(x1, y1);
    if (!endless) return this.stroke(g, a, b);
    const n = Math.hypot(b[0] - a[0], b[1] - a[1]);
    if (!(n > 0) || !Number.isFinite(n)) return;
    const u = [(b[0] - a[0]) / n, (b[1] - a[1]) / n];
    const middle = (this.width / 2 - a[0]) * u[0] + (this.height / 2 - a[1]) * u[1];
    const far = this.width + this.height, end = (t) => [a[0] + t * u[0], a[1] + t * u[1]];
    this.stroke(g, end(middle - far), end(middle + far));
  }

  // Where splines bend it the boundary is read from the picture: p = 1/2 along the edges of cells.
  contour(g, shade) {
    const n = Math.round(Math.sqrt(shade.length)), u = this.width / (n - 1), v = this.height / (n - 1);
    g.beginPath();
    for (let i = 0; i + 1 < n; i++) {
      for (let j = 0; j + 1 < n; j++) {
        const c = [shade[i * n + j], shade[i * n + j + 1], shade[(i + 1) * n + j + 1], shade[(i + 1) * n + j]];
        if (c.includes(255)) continue;
        const cuts = [];
        const corner = [[j, i], [j + 1, i], [j + 1, i + 1], [j, i + 1]];
        for (let k = 0; k < 4; k++) {
          const a = c[k] - 127, b = c[(k + 1) % 4] - 127;
          if (a > 0 === b > 0) continue;
          const t = a / (a - b), [p, q] = [corner[k], corner[(k + 1) % 4]];
          cuts.push([(p[0] + t * (q[0] - p[0])) * u, (p[1] + t * (q[1] - p[1])) * v]);
        }
        for (let k = 0; k + 1 < cuts.length; k += 2) {
          g.moveTo(...cuts[k]);
          g.lineTo(...cuts[k + 1]);
        }
      }
    }
    g.strokeStyle = css("--ink");
    g.lineWidth = 2;
    g.stroke();
  }

  guessed(g) {
    const [a, b] = this.guess.map((end) => this.px(...end));
    this.stroke(g, a, b, [7, 6]);
    [a, b].forEach(([u, v], i) => {
      mark(g, 0, u, v, 11, css("--card"), css("--ink"));
      g.fillStyle = css("--ink");
      g.font = "bold 12px system-ui, sans-serif";
      g.textAlign = "center";
      g.fillText("AB"[i], u, v + 4);
    });
    g.textAlign = "left";
  }

  crossed(g) {
    const [u, v] = this.px(...this.cross);
    this.stroke(g, [u - 10, v], [u + 10, v]);
    this.stroke(g, [u, v - 10], [u, v + 10]);
  }
}
