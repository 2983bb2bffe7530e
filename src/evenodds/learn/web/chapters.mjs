// The chapters: their settings, what they show, and what "See it" does. Their texts are in index.html.

import { curve } from "./curve.mjs";
import { short } from "./plane.mjs";

const base = { data: "moons", features: "straight", normalise: true, lr: 1, bs: 100, epochs: 200, seed: 0, keys: [] };
const $ = (id) => document.getElementById(id);

// view: "values" (a function), "hand" (weights by hand), "run" (a run), "versus" (methods beside each other)
export const CHAPTERS = {
  sigmoid: { title: "The sigmoid", view: "values", open: "sigmoid", settings: base },
  hypothesis: { title: "The hypothesis", view: "hand", open: "sigmoid", settings: base },
  loss: { title: "The log loss", view: "values", open: "loss", settings: base },
  descent: { title: "Gradient descent", view: "run", open: "gradients", settings: { ...base, epochs: 100 } },
  boundary: { title: "The decision boundary", view: "run", open: "plot_decision_boundary", settings: { ...base, epochs: 100 } },
  normalise: { title: "Normalising", view: "run", open: "normalize", settings: { ...base, data: "thousandths", normalise: false, lr: 0.01 } },
  batches: { title: "Mini-batches", view: "run", open: "epochs", settings: { ...base, bs: 1, lr: 0.5, epochs: 60 } },
  measure: { title: "Predicting and measuring", view: "run", open: "predict", settings: { ...base, data: "rare" } },
  engine: { title: "From scratch to the engine", view: "versus", open: "epochs", settings: base },
  own: { title: "Your own data", view: "run", open: "epochs", settings: { ...base, data: "own", epochs: 100 } },
};

const cell = (tag, text) => Object.assign(document.createElement(tag), { textContent: text });

// A table from rows of texts; the first row and the first column are headers.
export function table(rows, caption) {
  const made = document.createElement("table");
  made.append(cell("caption", caption));
  rows.forEach((row, i) => {
    const tr = made.insertRow();
    row.forEach((text, j) => {
      const one = cell(i === 0 || j === 0 ? "th" : "td", text);
      if (one.tagName === "TH") one.scope = i === 0 ? "col" : "row";
      tr.append(one);
    });
  });
  return made;
}

// The chapters "sigmoid" and "loss": one function, and one value of it traced in the code.
export async function drawValues(app, name) {
  const control = $(name === "loss" ? "p" : "z");
  const got = await app.call("values", { name, at: app.far ? -710 : Number(control.value) }), { at } = got;
  document.querySelector(`output[for=${control.id}]`).textContent = app.far ? "−710" : at.toFixed(name === "loss" ? 2 : 1);
  const n = got.x.length, pick = Math.max(0, Math.min(n - 1, Math.round(((at - got.x[0]) / (got.x[n - 1] - got.x[0])) * (n - 1))));
  const curves = name === "loss"
    ? [{ x: got.x, y: got.curves.subarray(n), name: "if the class is 1" }, { x: got.x, y: got.curves.subarray(0, n), name: "if the class is 0" }]
    : [{ x: got.x, y: got.curves }];
  const shown = app.far ? { dot: null } : { dot: { x: at, ys: curves.map((c) => c.y[pick]) } };
  curve($("curve"), {
    curves, ...shown, bottom: 0, top: name === "loss" ? 4 : 1, xs: [got.x[0], got.x[n - 1]], xname: name === "loss" ? "p" : "z",
    level: name === "loss" ? { at: Math.LN2, name: "knowing nothing: 0.693" } : { at: 0.5, name: "even odds" },
  });
  const said = name === "loss"
    ? `p = ${at.toFixed(2)} costs ${short(curves[0].y[pick])} if the class is 1, and ${short(curves[1].y[pick])} if it is 0.`
    : `sigmoid(${at}) = ${got.value === 0 ? "0" : got.value.toPrecision(3)}; the odds are ${short(Math.exp(at))} to 1.`;
  $("c-curve").textContent = said;
  $("curve").setAttribute("aria-label", `Curve. ${said}`);
  app.code.values(got.events);
}

// The chapter "hypothesis": weights from sliders, and the middle point followed.
export async function drawHand(app) {
  const wish = ["w1", "w2", "b0"].map((id) => Number($(id).value)), { X, y, box } = app.run;
  const got = await app.call("by_hand", { w: wish.slice(0, 2), b: wish[2], x: app.point ?? [X[0], X[1]] });
  const { w: [w1, w2], b, x } = got;
  for (const [id, v] of [["w1", w1], ["w2", w2], ["b0", b]]) document.querySelector(`output[for=${id}]`).textContent = v.toFixed(1);
  let row = 0;
  for (let i = 1; i < y.length; i++) {
    if (Math.hypot(X[2 * i] - x[0], X[2 * i + 1] - x[1]) < Math.hypot(X[2 * row] - x[0], X[2 * row + 1] - x[1])) row = i;
  }
  app.plane.draw({ X, y, box, shade: got.shade, line: got.lines, rows: [row] });
  const [p1, p2] = got.point;
  $("hand").textContent = `The ringed point, normalised: z = ${w1} · ${short(p1)} + ${w2} · ${short(p2)} + ${b} = ${short(got.z)}, `
    + `p = ${got.p.toFixed(3)}. Right: ${Math.round(got.accuracy * y.length)} of ${y.length} points.`;
  app.say("Click a point to follow it.");
  $("plane").setAttribute("aria-label", `${y.length} points of two classes and a line by hand. ${$("hand").textContent}`);
}

// The chapter "measure": what was found and missed, in the training and in new rows.
export async function drawMeasure(app) {
  const got = await app.call("measure", { threshold: Number($("threshold").value) }), { threshold } = got;
  document.querySelector("output[for=threshold]").textContent = threshold.toFixed(2);
  const columns = [got.train, got.new].filter(Boolean), heads = ["rows of", "training", "new data"].slice(0, columns.length + 1);
  const row = (name, of) => [name, ...columns.map(of)];
  const share = (a, b) => (b ? `${a} of ${b}` : "none");
  $("measured").replaceChildren(table([
    heads,
    row("accuracy", (c) => (typeof c.accuracy === "number" ? c.accuracy.toFixed(3) : "refused")),
    row("class 1: found", ({ counts: [, [miss, hit]] }) => share(hit, hit + miss)),
    row("said 1: right", ({ counts: [[, wrong], [, hit]] }) => share(hit, hit + wrong)),
    row("log loss", (c) => short(c.loss)),
  ], `Above ${threshold.toFixed(2)} is called class 1`));
}

// The chapter "engine": distances to the optimum against passes and time, and the coefficients.
export async function drawVersus(app) {
  $("versus").textContent ||= "Loading the engine: some seconds, once …";
  const got = await app.call("compare", { C: 10 ** Number($("C").value) });
  document.querySelector("output[for=C]").textContent = short(got.C);
  const clip = (gap) => gap.map((v) => Math.max(v, 1e-16));
  const curves = got.curves.map(({ name, gap }) => ({ name, y: clip(gap) }));
  curve($("curve"), { curves, log: true, bottom: 1e-16, xname: "passes over the data" });
  $("c-curve").textContent = "distance of the loss to the optimum, by passes";
  if (got.separated) {
    curve($("bowl"), { curves: [{ y: got.growth, name: "length of w, lr = 1" }], bottom: 0, xname: "epochs" });
    $("c-bowl").textContent = "separated: the weights grow for ever";
  } else {
    const most = Math.max(...got.curves.map((c) => c.seconds));
    const timed = got.curves.map(({ gap, seconds }) => ({ x: gap.map((_, i) => (1000 * seconds * i) / (gap.length - 1)), y: clip(gap) }));
    curve($("bowl"), { curves: timed, log: true, bottom: 1e-16, xs: [0, 1000 * most], xname: "milliseconds" });
    $("c-bowl").textContent = `the same by time, on ${app.live ? "this machine" : "the machine that recorded it"}`;
  }
  for (const id of ["curve", "bowl"]) $(id).setAttribute("aria-label", `Curves: ${$(`c-${id}`).textContent}`);
  const rows = got.table.map(({ name, coefficients, endless }) => [
    endless ? `${name} (where it stopped: there is no end)` : name, ...coefficients.slice(0, 3).map((v) => v.toFixed(4)),
  ]);
  const words = got.separated
    ? "The classes are separated: the smallest loss is 0, at infinity. A ridge and Firth's penalty have finite answers."
    : `The engine read the data ${got.passes} times and proves that its loss is within ${got.gap.toExponential(0)} of the smallest.`;
  $("versus").replaceChildren(cell("p", words), table([["fit", "bias", "w1", "w2"], ...rows], "Coefficients"));
}
