// Playing and stepping: by epoch, by batch, by operation, forwards and back.

const $ = (id) => document.getElementById(id);
const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class Player {
  constructor(app) {
    Object.assign(this, { app, playing: false, unit: "epoch", op: 0 });
    $("play").onclick = () => (this.playing ? this.pause() : this.play());
    $("step").onclick = () => this.step(1);
    $("back").onclick = () => this.step(-1);
    $("again").onclick = () => this.go(0);
    $("at").oninput = () => this.go(Number($("at").value));
    $("unit").onchange = () => this.by($("unit").value);
  }

  by(unit) {
    this.pause();
    this.unit = $("unit").value = unit;
    this.app.trace = null;
    return unit === "epoch" ? this.go(this.app.at) : this.traced(this.app.at, 0, 0);
  }

  pause() {
    this.playing = false;
    $("play").textContent = "▶ Play";
    clearTimeout(this.timer);
  }

  // Play to the end; from the beginning, if it is at the end.
  play() {
    const { app } = this;
    if (app.at >= app.run.settings.epochs - 1 || (app.run.done && app.at >= app.run.have - 1)) {
      app.at = 0;
      app.trace = null;
    }
    app.follow = false;
    this.playing = true;
    $("play").textContent = "❚❚ Pause";
    this.next();
  }

  async next() {
    const { app } = this, { run } = app;
    if (!this.playing) return;
    if (this.unit !== "epoch") {
      await this.move(1);
      this.timer = setTimeout(() => this.next(), calm.matches ? 900 : this.unit === "batch" ? 150 : 450);
      return;
    }
    // Every epoch is drawn, up to 400 of them; of longer runs every k-th, so that they end in time.
    const all = run.settings.epochs, stride = Math.ceil(all / (calm.matches ? 10 : 400));
    const at = Math.min(app.at + stride, run.have - 1);
    if (at > app.at) {
      await run.need(at);
      if (run !== app.run || !this.playing) return;
      app.at = at;
      app.draw();
      for (let k = 1; k <= 12; k++) if (!run.pictures.has(at + k * stride) && at + k * stride < run.have) {
        run.need(at + k * stride);
        break;
      }
    } else if (run.done) {
      this.pause();
      app.draw();
      return app.settle();
    }
    if (calm.matches) this.timer = setTimeout(() => this.next(), 500);
    else requestAnimationFrame(() => this.next());
  }

  step(by) {
    this.pause();
    this.app.follow = false;
    return this.move(by);
  }

  async move(by) {
    const { app, unit } = this, { trace } = app;
    if (unit === "epoch") return this.go(app.at + by);
    if (!trace) return this.traced(app.at, 0, 0);
    if (unit === "operation" && trace.events[this.op + by]) {
      this.op += by;
      return app.draw();
    }
    const batch = trace.batch + by, last = by < 0 ? Infinity : 0;
    if (batch >= 0 && batch < trace.batches) return this.traced(trace.epoch, batch, last);
    const epoch = trace.epoch + by;
    if (epoch < 0 || epoch >= app.run.have) return this.pause();
    return this.traced(epoch, by < 0 ? app.run.batches - 1 : 0, last);
  }

  async go(at) {
    const { app } = this, { run } = app;
    this.pause();
    app.follow = false;
    app.at = Math.max(0, Math.min(at, run.have - 1));
    app.trace = null;
    await run.need(app.at);
    if (run !== app.run) return;
    app.draw();
    if (this.unit !== "epoch") return this.traced(app.at, 0, 0);
    return app.settle();
  }

  async traced(epoch, batch, op) {
    const { app } = this, { run } = app;
    const got = await app.call("trace", { epoch, batch });
    if (run !== app.run) return;
    app.trace = { ...got, epoch: got.epoch ?? epoch };
    app.at = app.trace.epoch;
    this.op = Math.max(0, Math.min(op, got.events.length - 1));
    app.draw();
  }
}
