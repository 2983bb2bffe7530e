// Mistakes: their switches, the textbook's section beside the symptom, and the first number that is not finite.

const $ = (id) => document.getElementById(id);
const make = (tag, text = "", cls = "") => Object.assign(document.createElement(tag), { textContent: text, className: cls });

// A paragraph of the textbook: `code` and *emphasis* are all that it has.
function paragraph(text) {
  const made = make("li");
  text.split(/(`[^`]+`|\*[^*]+\*)/).forEach((part) => {
    if (part.startsWith("`")) made.append(make("code", part.slice(1, -1)));
    else if (/^\*[^*]+\*$/.test(part)) made.append(make("em", part.slice(1, -1)));
    else made.append(part);
  });
  return made;
}

export function mistakeSwitches(app) {
  for (const { key, title } of app.hello.mistakes) {
    const box = Object.assign(document.createElement("input"), { type: "checkbox", value: key });
    box.onchange = () => {
      const { keys } = app.settings;
      if (!box.checked) return app.set({ keys: keys.filter((each) => each !== key) });
      // A first mistake starts at the settings at which it shows; a second one takes them as they are.
      const { settings } = app.hello.mistakes.find((each) => each.key === key);
      const shows = { data: "moons", features: "straight", normalise: true, lr: 0.01, bs: 100, epochs: 1000, ...settings };
      return app.set({ ...(keys.length ? {} : shows), keys: [...keys, key] });
    };
    const label = make("label", "", "check");
    label.append(box, title);
    $("mistakes").append(label);
  }
}

export function lesson(app, symptoms = []) {
  const parts = app.settings.keys.map((key) => {
    const mistake = app.hello.mistakes.find((each) => each.key === key), section = make("section");
    section.append(make("h3", mistake.title), make("p", mistake.look));
    const found = symptoms.find((each) => each.key === key);
    const number = make("p", "", "number");
    number.append(`${mistake.measure}: `, make("b", found ? found.value : "…"), `; without the mistake ${mistake.right}, at the settings of the textbook`);
    const list = make("ul");
    list.append(...mistake.section.map(paragraph));
    section.append(number, make("p", "The textbook says:", "hint"), list);
    return section;
  });
  $("lesson").hidden = !parts.length;
  $("lesson").replaceChildren(...parts);
}

export function showAlarm(app, problem = "") {
  const box = $("alarm"), { found, run } = app;
  box.hidden = !(problem || found || run?.stopped);
  box.replaceChildren();
  if (problem) box.append(make("p", problem));
  if (found) {
    const line = make("p");
    const name = app.code.functionOf(found.line);
    const when = found.epoch ? `at epoch ${found.epoch}, batch ${found.batch}` : "before the first epoch";
    line.append(make("b", "The first number that is not finite: "), `line ${found.line} (${name}), `, make("code", found.expression), " gave ",
      make("b", found.value), ` in ${found.count} of ${found.of} places, ${when}.`);
    box.append(line);
    if (run && Number.isFinite(run.loss[run.have - 1])) box.append(make("p", "The loss stayed finite all the same: nothing else would have told you."));
  }
  if (run?.stopped) box.append(make("p", run.stopped));
}
