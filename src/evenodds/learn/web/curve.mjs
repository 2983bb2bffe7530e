// Curves: the loss of each epoch, the functions of the first chapters, distances on a logarithmic axis.

import { colour, fit, mark, short } from "./plane.mjs";

const LEFT = 46, RIGHT = 10, TOP = 12, BOTTOM = 24;
const STYLES = [["--blue", []], ["--orange", [7, 4]], ["--ink", [2, 3]]];

function extent(curves, log) {
  let low = Infinity, high = -Infinity;
  for (const { y, n } of curves) {
    for (let i = 0; i < (n ?? y.length); i++) {
      if (!Number.isFinite(y[i]) || (log && y[i] <= 0)) continue;
      low = Math.min(low, y[i]);
      high = Math.max(high, y[i]);
    }
  }
  return low > high ? [0, 1] : [low, high];
}

function marks(low, high, log) {
  if (log) {
    const all = [], step = Math.max(1, Math.ceil((Math.log10(high) - Math.log10(low)) / 5));
    for (let k = Math.ceil(Math.log10(low) - 1e-9); k <= Math.log10(high) + 1e-9; k += step) all.push(10 ** k);
    return all;
  }
  const raw = (high - low) / 4, unit = 10 ** Math.floor(Math.log10(raw));
  const step = unit * [1, 2, 5, 10].find((k) => k * unit >= raw), all = [];
  for (let v = Math.ceil(low / step) * step; v <= high + step / 1e6; v += step) all.push(Math.abs(v) < step / 1e6 ? 0 : v);
  return all;
}

// curves: [{x?, y, name?, faint?, n?}]; dot: {x, ys}; level: a height with a name; xs: the ends of the axis.
export function curve(canvas, { curves, dot, log = false, bottom, top, xs, xname = "", level }) {
  const { g, width, height } = fit(canvas);
  let [low, high] = extent(curves, log);
  if (bottom !== undefined) low = Math.min(low, bottom);
  if (top !== undefined) high = Math.max(high, top);
  if (high === low) high = low + 1;
  const [x0, x1] = xs ?? [0, Math.max(1, ...curves.map((c) => c.y.length - 1))];
  const scale = log ? Math.log10 : (v) => v, [l, h] = [scale(low), scale(high)];
  const px = (x) => LEFT + ((x - x0) / (x1 - x0)) * (width - LEFT - RIGHT);
  const py = (v) => TOP + (1 - (scale(v) - l) / (h - l)) * (height - TOP - BOTTOM);
  const words = (text, x, y, align, style = "--soft") => {
    g.textAlign = align;
    g.fillStyle = colour(style);
    g.fillText(text, x, y);
  };
  const stroke = (a, b, style, wide, dash = []) => {
    Object.assign(g, { strokeStyle: colour(style), lineWidth: wide });
    g.setLineDash(dash);
    g.beginPath();
    g.moveTo(...a);
    g.lineTo(...b);
    g.stroke();
    g.setLineDash([]);
  };
  g.clearRect(0, 0, width, height);
  g.font = "11px system-ui, sans-serif";
  for (const v of marks(low, high, log)) {
    stroke([LEFT, py(v)], [width - RIGHT, py(v)], "--line", 1);
    words(log ? `1e${Math.round(Math.log10(v))}` : short(v), LEFT - 5, py(v) + 4, "right");
  }
  words(short(xs ? x0 : x0 + 1), LEFT, height - 7, "left");
  words(short(xs ? x1 : x1 + 1), width - RIGHT, height - 7, "right");
  words(xname, (LEFT + width - RIGHT) / 2, height - 7, "center");
  if (level && level.at <= high && level.at - low > 0.08 * (high - low)) {
    stroke([LEFT, py(level.at)], [width - RIGHT, py(level.at)], "--soft", 1, [2, 4]);
    words(level.name, width - RIGHT - 2, py(level.at) - 4, "right");
  }
  curves.filter((each) => each.faint).forEach((each) => path(g, each, ["--faint", []], px, py, log));
  const strong = curves.filter((each) => !each.faint);
  strong.forEach((each, k) => path(g, each, STYLES[k % 3], px, py, log));
  strong.filter((each) => each.name).forEach(({ name }, k, all) => {
    const w = g.measureText(name).width, x = width - RIGHT - w - 34, y = log ? height - BOTTOM - 6 - 16 * (all.length - 1 - k) : TOP + 12 + 16 * k;
    g.fillStyle = colour("--card");
    g.fillRect(x - 4, y - 12, w + 38, 16);
    stroke([x, y - 4], [x + 22, y - 4], STYLES[k % 3][0], 2.2, STYLES[k % 3][1]);
    words(name, x + 28, y, "left", "--ink");
  });
  dot?.ys.forEach((v, k) => Number.isFinite(v) && mark(g, k, px(dot.x), py(v), 5, colour(STYLES[k % 3][0]), colour("--card")));
}

function path(g, { x, y, n }, [style, dash], px, py, log) {
  g.beginPath();
  g.strokeStyle = colour(style);
  g.lineWidth = 2.2;
  g.setLineDash(dash);
  let pen = false;
  for (let i = 0; i < (n ?? y.length); i++) {
    // A number that is not finite leaves a hole.
    const shown = Number.isFinite(y[i]) && !(log && y[i] <= 0);
    if (shown) {
      const u = px(x ? x[i] : i), v = py(y[i]);
      if (!pen) g.moveTo(u - 0.7, v);
      g.lineTo(u, v);
    }
    pen = shown;
  }
  g.stroke();
  g.setLineDash([]);
}
