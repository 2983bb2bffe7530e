// The code that runs, with the values of this step beside its lines.

const node = (tag, cls, text) => {
  const made = document.createElement(tag);
  if (cls) made.className = cls;
  if (text !== undefined) made.textContent = text;
  return made;
};

export class Code {
  constructor(box) {
    this.box = box;
    this.lines = new Map();
  }

  // rows: [mark, number, text]; functions: {name: [first, last]}
  show(rows, functions) {
    this.lines.clear();
    this.functions = functions;
    this.changed = null;
    const parts = rows.map(([sign, number, text]) => {
      const row = node("div", sign === "-" ? "gone" : sign === "+" ? "new" : "");
      row.append(node("span", "n", sign === "-" ? "−" : sign === "+" ? `+${number}` : number));
      const code = node("span", "t", text);
      row.append(code, node("span", "v"));
      if (sign === "-") row.dataset.gone = "";
      else this.lines.set(number, { row, code, text });
      if (sign !== " ") this.changed ??= row;
      return row;
    });
    this.box.replaceChildren(...parts);
  }

  // The text that is shown, without lines that are gone.
  get text() {
    return [...this.lines.values()].map((line) => line.code.textContent).join("\n");
  }

  clear() {
    for (const { row, code, text } of this.lines.values()) {
      row.classList.remove("now", "bad");
      if (code.childElementCount) code.textContent = text;
      row.lastChild.textContent = "";
    }
  }

  // Show the events up to one, which is marked where it stands.
  values(events, upto = events.length - 1, marked = false) {
    this.clear();
    for (const [line, , , , value] of events.slice(0, upto + 1)) {
      const found = this.lines.get(line);
      if (found) found.row.lastChild.textContent = value;
    }
    if (marked && events[upto]) this.mark(events[upto], "now");
  }

  mark([first, left, last, right], cls) {
    const line = this.lines.get(first);
    if (!line) return;
    const end = last === first ? right : line.text.length;
    line.code.replaceChildren(line.text.slice(0, left), node("mark", "", line.text.slice(left, end)), line.text.slice(end));
    line.row.classList.add(cls);
    this.to(line.row, true);
  }

  // Scroll a row into the box, never the page.
  to(row, gently = false) {
    const top = row.offsetTop - this.box.offsetTop, seen = top - this.box.scrollTop;
    if (gently && seen > 20 && seen < this.box.clientHeight - 40) return;
    this.box.scrollTop = top - (gently ? this.box.clientHeight / 3 : 8);
  }

  // Begin at what a mistake changes, or at a function.
  open(name) {
    const row = this.changed?.previousSibling ?? this.lines.get(this.functions[name]?.[0])?.row;
    if (row) this.to(row);
  }

  // In which function a line is.
  functionOf(number) {
    return Object.keys(this.functions).find((name) => this.functions[name][0] <= number && number <= this.functions[name][1]);
  }
}
