// The page: one state, what changes it, and what is drawn from it.

import { read, write } from "./address.mjs";
import { CHAPTERS, drawHand, drawMeasure, drawValues, drawVersus } from "./chapters.mjs";
import { Code } from "./code.mjs";
import { curve } from "./curve.mjs";
import { lesson, mistakeSwitches, showAlarm } from "./lesson.mjs";
import { edit, fromText, openFile, start } from "./own.mjs";
import { Plane, short } from "./plane.mjs";
import { Player } from "./player.mjs";
import { Run, remember } from "./run.mjs";
import { Surface } from "./surface.mjs";
import { connect } from "./transport.mjs";

const $ = (id) => document.getElementById(id);
const SLIDERS = { // between a slider and its setting
  lr: { to: (v) => Number((10 ** v).toPrecision(2)), from: Math.log10 },
  bs: { to: (v) => Math.round(10 ** v), from: Math.log10 },
  epochs: { to: Number, from: Number },
};

class App {
  settings = {};
  at = 0; // the epoch that is shown, from 0
  trace = null; // one batch under X-ray
  rows = start(); // own points
  sent = false; // Python has them
  turns = 0;
  timers = {};
  say = (text) => ($("say").textContent = text);
  problem = (error) => showAlarm(this, error.message);

  async open() {
    const { call, live } = await connect();
    this.call = call;
    this.live = live;
    this.hello = await call("hello");
    $("where").textContent = live
      ? `Python ${this.hello.python}, NumPy ${this.hello.numpy}, on this computer`
      : "A recording: with evenodds learn it runs on your computer";
    this.plane = new Plane($("plane"));
    this.surface = new Surface($("bowl"));
    this.code = new Code($("code"));
    this.player = new Player(this);
    this.build();
    edit(this);
    this.fromAddress();
  }

  build() {
    for (const [id, { title }] of Object.entries(CHAPTERS)) {
      const link = Object.assign(document.createElement("a"), { href: `#chapter=${id}`, title });
      const name = Object.assign(document.createElement("span"), { textContent: title, className: "name" });
      link.append(`${Object.keys(CHAPTERS).indexOf(id) + 1} `, name);
      $("chapters").appendChild(document.createElement("li")).append(link);
    }
    for (const [key, name] of [...Object.entries(this.hello.data), ["own", "your own points"]]) $("data").add(new Option(name, key));
    mistakeSwitches(this);
    for (const id of ["data", "features"]) $(id).onchange = () => this.set({ [id]: $(id).value });
    $("norm").onchange = () => this.set({ normalise: $("norm").checked });
    $("seed").onchange = () => this.set({ seed: Math.max(0, Math.min(99999, Math.round(Number($("seed").value) || 0))) });
    for (const [id, { to }] of Object.entries(SLIDERS)) $(id).oninput = () => this.set({ [id]: to($(id).value) });
    for (const id of ["z", "p", "w1", "w2", "b0", "threshold", "C"]) {
      $(id).oninput = () => this.draw(Object.assign(this, { far: false, revealed: true, versus: true }));
    }
    $("far").onclick = () => this.draw((this.far = true));
    $("clear").onclick = () => {
      this.rows = start();
      this.sent = false;
      $("own-say").textContent = "";
      this.set({ data: "own" });
    };
    $("file").onchange = () => $("file").files[0] && openFile(this, $("file").files[0]);
    for (const button of document.querySelectorAll(".see")) button.onclick = () => this.see(button.closest("fieldset"));
    document.addEventListener("keydown", (event) => this.key(event));
    addEventListener("hashchange", () => location.hash !== this.written && this.fromAddress());
    new ResizeObserver(() => this.run && this.draw()).observe($("lab"));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.plane.theme();
      this.draw();
    });
  }

  key(event) {
    if (event.target.closest("input, select, textarea, summary, button, a, .nudge") || event.ctrlKey || event.metaKey || event.altKey) return;
    const id = { " ": "play", ArrowRight: "step", ArrowLeft: "back", Home: "again" }[event.key];
    if (!id || $("transport").hidden || event.target.closest("#code, .scroll")) return;
    event.preventDefault();
    $(id).click();
  }

  // Change settings and learn with them.
  set(changes) {
    Object.assign(this.settings, changes);
    this.controls();
    return this.learn();
  }

  controls() {
    const s = this.settings;
    $("data").value = s.data;
    $("features").value = s.features;
    $("norm").checked = s.normalise;
    $("seed").value = s.seed;
    for (const [id, { from }] of Object.entries(SLIDERS)) {
      $(id).value = from(s[id]);
      document.querySelector(`output[for=${id}]`).textContent = short(s[id]);
    }
    $("at").max = s.epochs - 1;
    for (const box of document.querySelectorAll("#mistakes input")) {
      box.checked = s.keys.includes(box.value);
      const other = s.keys.find((key) => this.hello.conflicts.some((pair) => pair.includes(key) && pair.includes(box.value) && key !== box.value));
      box.disabled = Boolean(other);
      box.title = other ? "It changes the same line as one that is on." : "";
    }
    $("n-mistakes").textContent = s.keys.length ? `(${s.keys.length} on)` : "";
  }

  fromAddress() {
    this.written = location.hash;
    const { id, settings, points, at } = read(this.hello);
    if (points) this.rows = fromText(points);
    this.sent = false;
    this.settings = settings;
    return this.chapterIs(id, at);
  }

  chapterIs(id, at) {
    Object.assign(this, { chapter: id, revealed: false, far: false, point: null, versus: false });
    this.player.unit = $("unit").value = "epoch";
    document.title = `${CHAPTERS[id].title} · evenodds: see it learn`;
    for (const article of document.querySelectorAll("article")) article.hidden = article.id !== id;
    const links = [...document.querySelectorAll("#chapters a")], ids = Object.keys(CHAPTERS), k = ids.indexOf(id);
    links.forEach((link, i) => (i === k ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current")));
    const next = ids[(k + 1) % ids.length];
    $("next").href = `#chapter=${next}`;
    $("next").textContent = k + 1 < ids.length ? `Next: ${CHAPTERS[next].title} →` : "Back to the first chapter →";
    for (const each of document.querySelectorAll(".told, .ask input")) Object.assign(each, each.matches("p") ? { hidden: true } : { checked: false });
    this.plane.guess = null;
    $("versus").textContent = "";
    this.controls();
    return this.learn(at);
  }

  // Predict, then see.
  async see(ask) {
    const told = ask.querySelector(".told"), radios = [...ask.querySelectorAll("input")];
    const chosen = radios.findIndex((radio) => radio.checked);
    if (radios.length) {
      told.dataset.text ??= told.innerHTML;
      const words = chosen < 0 ? "" : chosen === Number(ask.dataset.right) ? "<b>You were right.</b> " : "<b>Not so.</b> ";
      told.innerHTML = words + told.dataset.text;
    }
    this.revealed = true;
    const steps = {
      sigmoid: () => ($("z").value = 4),
      loss: () => ($("p").value = 0.01),
      hypothesis: () => ["w1", "w2", "b0"].forEach((id) => ($(id).value = Math.max(-6, Math.min(6, 3 * $(id).value)))),
      engine: () => (this.versus = true),
      boundary: () => this.compareGuess(told),
      own: () => {
        this.rows.push([Math.max(...this.rows.map((row) => row[0])) + 6, 0, 1]);
        this.sent = false;
        return this.learn();
      },
    };
    await steps[this.chapter]?.();
    told.hidden = false;
    if (innerWidth < 700) $("lab").scrollIntoView();
    if (this.shownView !== "run") return this.draw();
    if (this.chapter !== "own") this.player.play();
  }

  async compareGuess(told) {
    if (!this.live) return (told.textContent = "Compare your line with the one that is learnt.");
    const { yours, best } = await this.call("guess", { ends: this.plane.guess });
    told.textContent = `Your line has ${Math.round(yours * this.run.y.length)} of ${this.run.y.length} points on their own side; the learnt one has `
      + `${Math.round(best * this.run.y.length)}. It is led by all points, the far ones too: it wants them sure, not just on its side.`;
  }

  // Only the newest wish is learnt: while Python answers, those between are passed over.
  learn(at = null) {
    const turn = ++this.turns;
    this.player.pause();
    this.chain = (this.chain ?? Promise.resolve()).then(() => turn === this.turns && this.begin(turn, at)).catch((error) => this.problem(error));
    return this.chain;
  }

  async begin(turn, at) {
    const { settings } = this;
    if (settings.data === "own" && !this.sent && (this.live || this.rows.length !== start().length)) {
      this.sent = true; // before they are, for they may change meanwhile
      await this.call("set_points", { rows: this.rows });
    }
    const first = await this.call("begin", settings);
    if (turn !== this.turns) return;
    if (first.settings) Object.assign(this.settings, first.settings); // a tape: the nearest that was recorded
    this.controls();
    this.run = new Run(first, { ...this.settings }, this.call);
    this.trace = null;
    this.found = null;
    this.surface.bowl = null;
    this.follow = at === null;
    this.at = at === null ? this.run.have - 1 : Math.max(0, Math.min(at, this.run.have - 1));
    this.views();
    const text = `${this.chapter} ${settings.keys}`; // two hundred lines are not built again at each move
    if (this.shownText !== text) {
      const plain = () => this.hello.source.split("\n").map((line, k) => [" ", k + 1, line]);
      this.code.show(first.diff.length ? first.diff : plain(), first.functions);
      this.code.open(CHAPTERS[this.chapter].open);
    } else this.code.clear();
    this.shownText = text;
    if (this.chapter === "boundary" && at !== null) {
      const [x0, y0, x1, y1] = first.box;
      this.plane.guess = [[x0 + 0.2 * (x1 - x0), (y0 + y1) / 2], [x0 + 0.8 * (x1 - x0), (y0 + y1) / 2]];
    }
    lesson(this);
    showAlarm(this);
    await this.run.need(this.at);
    await this.draw();
    document.body.dataset.ready = this.chapter;
    this.stream(turn, at);
  }

  async stream(turn, at) {
    const { run } = this;
    try {
      while (!run.done) {
        const part = await this.call("more", { ms: 15 });
        if (turn !== this.turns) return;
        run.join(part);
        if (at > this.at && !this.player.playing && !this.follow) this.at = Math.min(at, run.have - 1);
        await this.follows();
        if (!this.player.playing) this.draw();
      }
      if (run.suspect || run.stopped) {
        this.found = (await this.call("culprit")).found;
        if (turn !== this.turns) return;
      }
      const bowl = await this.call("surface");
      if (turn !== this.turns) return;
      this.surface.set(bowl);
      const measured = await this.call("measure", { threshold: 0.5 });
      if (turn !== this.turns) return;
      lesson(this, measured.symptoms);
      showAlarm(this);
      remember(this, measured.train.accuracy);
      await this.follows();
      this.draw();
      document.body.dataset.done = String(turn);
      return this.settle();
    } catch (error) {
      this.problem(error);
    }
  }

  follows() {
    if (!this.follow || this.player.playing) return null;
    this.at = this.run.have - 1;
    return this.run.need(this.at);
  }

  // When nothing moves for a moment: the values beside the code.
  settle() {
    clearTimeout(this.timers.settle);
    this.timers.settle = setTimeout(async () => {
      const { run, at } = this;
      if (this.player.playing || this.shownView !== "run" || this.player.unit !== "epoch") return;
      try {
        const batch = run.batches > 20 ? 0 : run.batches - 1; // to come to the last takes as long as the epoch
        const got = await this.call("trace", { epoch: Math.min(at, run.have - 1), batch });
        if (run !== this.run || at !== this.at || this.player.playing || this.player.unit !== "epoch") return;
        this.code.values(got.events);
        $("where-in").textContent = `Values of epoch ${(got.epoch ?? at) + 1}, batch ${got.batch + 1} of ${got.batches}.`;
        if (this.found) this.code.mark(this.found.place, "bad");
      } catch (error) {
        if (run === this.run) this.problem(error); // the next run may not have this epoch
      }
    }, 250);
  }

  // A mistake is seen in a run, in whichever chapter; the sigmoid's own in its curve, too.
  get shownView() {
    const { view } = CHAPTERS[this.chapter], { keys } = this.settings;
    if (!keys.length || (this.chapter === "sigmoid" && keys.every((key) => key === "exp") && this.far)) return view;
    return "run";
  }

  views() {
    const view = this.shownView;
    document.body.dataset.view = view;
    $("transport").hidden = view !== "run";
    $("f-plane").hidden = view === "values";
    $("f-curve").hidden = view === "hand";
    $("f-bowl").hidden = view === "values" || view === "hand";
    $("plane").setAttribute("role", this.chapter === "own" ? "application" : "img");
  }

  async draw() {
    if (!this.run) return;
    this.views();
    clearTimeout(this.timers.address);
    // Not if someone has gone on: the address is theirs, until it is read.
    this.timers.address = setTimeout(() => location.hash === this.written && (this.written = write(this)), 300);
    const view = this.shownView;
    clearTimeout(this.timers.live); // what a screen reader hears: once, when nothing has moved for a second
    const hear = () => this.player.playing || ($("live").textContent = $(view === "values" ? "c-curve" : "say").textContent);
    this.timers.live = setTimeout(hear, 1000);
    try {
      if (view === "values") await drawValues(this, this.chapter);
      else if (view === "hand") await drawHand(this);
      else if (view === "versus") await this.drawEngine();
      else {
        this.drawRun();
        if (this.chapter === "measure" && this.run.done && !this.player.playing && this.revealed) await drawMeasure(this);
      }
    } catch (error) {
      this.problem(error);
    }
  }

  async drawEngine() {
    const { run } = this, last = run.pictures.get(this.at) ?? {};
    this.plane.draw({ X: run.X, y: run.y, box: run.box, shade: last.shade, line: last.line });
    this.say("");
    if (this.versus) return drawVersus(this);
    for (const id of ["curve", "bowl"]) $(id).getContext("2d").clearRect(0, 0, $(id).width, $(id).height);
    $("c-curve").textContent = $("c-bowl").textContent = "Guess first, then see it.";
    return null;
  }

  drawRun() {
    const { run, at, trace } = this, picture = trace ? { shade: trace.shade, line: trace.lines } : (run.pictures.get(at) ?? {});
    const { shade, line } = this.plane.guess && !this.revealed ? {} : picture; // not before it was guessed
    const straight = run.settings.features === "straight";
    this.plane.draw({ X: run.X, y: run.y, box: run.box, shade, line: straight ? line : null, rows: trace?.rows });
    // What comes is drawn faintly, but not before it was guessed.
    const ghost = { y: run.loss, faint: true, n: this.revealed || this.follow || this.settings.keys.length ? run.have : 0 };
    curve($("curve"), {
      curves: [ghost, { y: run.loss, n: at + 1 }], dot: { x: at, ys: [run.loss[at]] }, bottom: 0,
      level: { at: Math.LN2, name: "knowing nothing: 0.693" }, xname: "epoch",
    });
    $("c-curve").textContent = `loss of each epoch${run.loss.some(Number.isFinite) ? "" : ": not one is finite"}`;
    this.surface.draw(run.w, run.n, at);
    const { bowl } = this.surface;
    const sample = bowl && bowl.rows < run.y.length ? ` (${bowl.rows} rows)` : "";
    $("c-bowl").textContent = bowl ? `the loss over two weights${sample}, and the path` : "the loss surface comes at the end of the run";
    $("at").value = at;
    document.querySelector("output[for=at]").textContent = `${at + 1} of ${run.settings.epochs}`;
    this.words();
  }

  words() {
    const { run, at, trace, player } = this;
    const list = (w) => `[${Array.from(w).slice(0, 3).map(short).join(", ")}${w.length > 3 ? ", …" : ""}]`;
    if (trace) {
      const one = player.unit === "operation", event = trace.events[player.op];
      this.code.values(trace.events, one ? player.op : undefined, one);
      const where = `Epoch ${trace.epoch + 1}, batch ${trace.batch + 1} of ${trace.batches}`;
      this.say(`${where}: after it w = ${list(trace.w)}, b = ${short(trace.b)}.`);
      const op = one && event ? `, operation ${player.op + 1} of ${trace.events.length}, in ${this.code.functionOf(event[0])}: ${event[4]}` : "";
      $("where-in").textContent = where + op;
    } else {
      if (player.playing) $("where-in").textContent = "Pause to see the values.";
      const loss = Number.isFinite(run.loss[at]) ? run.loss[at].toPrecision(4) : "not finite";
      this.say(`After epoch ${at + 1}: loss ${loss}, w = ${list(run.weights(at))}, b = ${short(run.b[at])}.`);
    }
    if (!player.playing) {
      $("plane").setAttribute("aria-label", `${run.y.length} points of two classes. ${$("say").textContent}`);
      $("curve").setAttribute("aria-label", `Curve of the loss by epoch. ${$("say").textContent}`);
      $("bowl").setAttribute("aria-label", `Surface of the loss over two weights. ${$("say").textContent}`);
    }
  }

  say(text) {
    $("say").textContent = text;
  }}

const app = new App();
globalThis.evenodds = app; // for tests, and for those who look
app.open().catch((error) => {
  $("where").textContent = error.message;
  document.body.dataset.ready = "no";
});
