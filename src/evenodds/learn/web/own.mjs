// Own points: by mouse, touch and keyboard, or from a CSV file; and the line that is drawn as a guess.

const START = [[-1.5, 1, 0], [-1, -0.5, 0], [-0.5, 0.6, 0], [0.6, -0.4, 1], [1, 0.8, 1], [1.6, 0, 1]];
const MOST_BYTES = 2_000_000;
const MOST_SHARED = 60;
const $ = (id) => document.getElementById(id);

export const start = () => START.map((row) => [...row]);
export const toText = (rows) => (rows.length <= MOST_SHARED ? rows.map((row) => row.map((v) => Number(v.toPrecision(4))).join(",")).join(";") : "");
export function fromText(text) {
  const rows = text.split(";").map((one) => one.split(",").map(Number));
  return rows.every((row) => row.length === 3 && row.every(Number.isFinite)) ? rows : start();
}

export async function openFile(app, file) {
  const say = (text) => ($("own-say").textContent = text);
  if (file.size > MOST_BYTES) {
    return say(`This file has ${Math.ceil(file.size / 1e6)} MB; the page takes at most 10,000 rows and 2 MB. For all of it: evenodds fit ${file.name}`);
  }
  try {
    const got = await app.call("csv", { text: await file.text() });
    app.rows = got.points;
    app.sent = true;
    say(`${got.points.length} rows. Features: ${got.features.join(" and ")}. Label: ${got.label}; class 1 is “${got.classes[1]}”.`);
    app.set({ data: "own" });
  } catch (error) {
    say(error.message);
  }
}

// What the pointer and the keys do on the plane.
export function edit(app) {
  const { plane } = app, canvas = plane.canvas;
  let held = null;
  const spot = (event) => {
    const frame = canvas.getBoundingClientRect();
    return [event.clientX - frame.left, event.clientY - frame.top];
  };
  const editing = () => app.settings.data === "own" && app.chapter === "own";
  const changed = () => app.learn((app.sent = false) || null);
  // Of the points as they are now: the picture may be of those before.
  const nearest = (u, v, within = 14) => {
    const far = app.rows.map(([x, y]) => Math.hypot(plane.px(x, y)[0] - u, plane.px(x, y)[1] - v)), least = Math.min(...far);
    return least < within ? far.indexOf(least) : -1;
  };
  const hue = () => Number($("hue").value);

  canvas.addEventListener("pointerdown", (event) => {
    const [u, v] = spot(event);
    if (plane.guess) {
      const far = plane.guess.map((end) => Math.hypot(plane.px(...end)[0] - u, plane.px(...end)[1] - v));
      held = { end: far[0] < far[1] ? 0 : 1 };
    } else if (app.shownView === "hand") {
      app.point = plane.at(u, v);
      return app.draw();
    } else if (editing()) {
      const found = nearest(u, v);
      if (found >= 0) held = { point: found };
      else {
        app.rows.push([...plane.at(u, v), hue()]);
        return changed();
      }
    }
    if (held) canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!held) return;
    const at = plane.at(...spot(event));
    if (held.end !== undefined) {
      plane.guess[held.end] = at;
      app.draw();
    } else {
      app.rows[held.point] = [...at, app.rows[held.point][2]];
      held.moved = true;
      changed();
    }
  });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => (held = null));
  canvas.addEventListener("dblclick", (event) => {
    const found = editing() ? nearest(...spot(event)) : -1;
    if (found >= 0) remove(found);
  });

  function remove(found) {
    const rest = app.rows.filter((_, i) => i !== found), classes = new Set(rest.map((row) => row[2]));
    if (classes.size < 2) return ($("own-say").textContent = "Each class keeps at least one point.");
    app.rows = rest;
    changed();
  }

  const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  const moved = ([x, y], key) => {
    const [x0, y0, x1, y1] = plane.box;
    return [x + (MOVES[key][0] * (x1 - x0)) / 40, y + (MOVES[key][1] * (y1 - y0)) / 40];
  };
  let taken = -1;
  canvas.addEventListener("keydown", (event) => {
    if (!editing()) return;
    plane.cross ??= [(plane.box[0] + plane.box[2]) / 2, (plane.box[1] + plane.box[3]) / 2];
    const near = () => nearest(...plane.px(...plane.cross), 40);
    if (MOVES[event.key]) {
      plane.cross = moved(plane.cross, event.key);
      if (taken >= 0) {
        app.rows[taken] = [...plane.cross, app.rows[taken][2]];
        changed();
      } else app.draw();
    } else if (event.key === "Enter") {
      app.rows.push([...plane.cross, hue()]);
      changed();
    } else if (event.key === "m" || event.key === "M") taken = taken >= 0 ? -1 : near();
    else if (event.key === "Delete" || event.key === "Backspace") {
      if (near() >= 0) remove(near());
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  canvas.addEventListener("blur", () => {
    plane.cross = null;
    taken = -1;
    app.draw();
  });

  for (const button of document.querySelectorAll(".nudge")) {
    button.addEventListener("keydown", (event) => {
      if (!MOVES[event.key] || !plane.guess) return;
      const end = Number(button.dataset.end);
      plane.guess[end] = moved(plane.guess[end], event.key);
      app.draw();
      event.preventDefault();
      event.stopPropagation();
    });
  }
}
