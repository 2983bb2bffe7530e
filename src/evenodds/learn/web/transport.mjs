// Where answers come from: the Python of `evenodds learn`, or tapes that the same engine recorded.

// A reply is the length of a JSON head (8 bytes), the head, and the bytes of its arrays.
export function unpack(buffer) {
  const length = Number(new DataView(buffer).getBigUint64(0, true));
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  const out = {};
  for (const [key, entry] of Object.entries(head)) {
    if ("value" in entry) out[key] = entry.value;
    else {
      const size = entry.shape.reduce((a, b) => a * b, 1);
      const Kind = entry.type === "uint8" ? Uint8Array : Float64Array;
      out[key] = new Kind(buffer, 8 + length + entry.at, size);
      out[key].shape = entry.shape;
    }
  }
  return out;
}

export async function connect() {
  const hash = new URLSearchParams(location.hash.slice(1));
  const token = hash.get("token") || sessionStorage.getItem("token");
  if (hash.get("token")) {
    sessionStorage.setItem("token", token);
    hash.delete("token"); // an address that is shared must not hold the key
    history.replaceState(null, "", `#${hash}`);
  }
  if (token) return live(token);
  const index = await fetch("tapes/index.json").catch(() => null);
  if (index?.ok) return tapes(await index.json());
  throw new Error("Open the address that the terminal shows: it holds the key of this run.");
}

function live(token) {
  const page = crypto.randomUUID();
  let chain = Promise.resolve();
  async function send(method, args) {
    let reply;
    try {
      const body = JSON.stringify({ page, method, arguments: args });
      reply = await fetch("call", { method: "POST", headers: { "X-Token": token, "Content-Type": "application/json" }, body });
    } catch {
      throw new Error("Python does not answer: is `evenodds learn` still running?");
    }
    if (!reply.ok) {
      const { error } = await reply.json().catch(() => ({ error: `the server answered ${reply.status}` }));
      throw new Error(error);
    }
    const answer = unpack(await reply.arrayBuffer());
    if (answer.refused) throw new Error(answer.refused);
    return answer;
  }
  // One call after the other: what belongs to an old run is answered before a new one begins.
  const call = (method, args = {}) => {
    const answer = chain.then(() => send(method, args));
    chain = answer.catch(() => {});
    return answer;
  };
  return { live: true, call };
}

// A tape is one recorded run: all its epochs, some of its pictures and traces. Whatever is asked, the nearest is given.
function tapes({ hello, runs, replies }) {
  let tape = null;
  const load = async (name) => unpack(await (await fetch(`tapes/${name}.bin`)).arrayBuffer());
  const least = (list, far) => list.reduce((best, each) => (far(each) < far(best) ? each : best));
  const farRun = (wish) => (name) => {
    const one = runs[name];
    let sum = String(wish.keys) === String(one.keys) ? 0 : 1000;
    for (const [key, cost] of [["data", 100], ["features", 30], ["normalise", 30]]) sum += wish[key] === one[key] ? 0 : cost;
    for (const [key, cost] of [["lr", 1], ["bs", 1], ["epochs", 0.1]]) sum += cost * Math.abs(Math.log10(wish[key] / one[key]));
    return sum;
  };
  const distance = (a, b) => (typeof a === "string" ? (a === b ? 0 : 1e6) : Math.abs(a - b));
  const farCall = (args) => ({ arguments: one }) =>
    Object.keys(one).reduce((sum, key) => sum + [one[key]].flat().reduce((part, v, i) => part + distance([args[key]].flat()[i], v), 0), 0);
  function pictures(start, stop) {
    const cells = tape.frames.length / tape.keys.length, shade = new Uint8Array(Math.max(0, stop - start) * cells);
    for (let i = start; i < stop; i++) {
      const k = tape.keys.indexOf(least(tape.keys, (key) => Math.abs(key - i)));
      shade.set(tape.frames.subarray(k * cells, (k + 1) * cells), (i - start) * cells);
    }
    shade.shape = [Math.max(0, stop - start), ...tape.frames.shape.slice(1)];
    return { shade, lines: tape.alllines.subarray(5 * start, 5 * stop) };
  }
  const answers = {
    hello: () => hello,
    begin: async (wish) => {
      const name = least(Object.keys(runs), farRun(wish));
      tape = { ...(await load(name)), settings: runs[name] };
      return { ...tape, ...tape.begun, ...pictures(0, 1) };
    },
    paint: ({ start, stop }) => pictures(start, Math.min(stop, tape.b.length)),
    surface: () => ({ reach: tape.reach, loss: tape.bowl, pair: tape.pair, rows: tape.bowlrows }),
    culprit: () => ({ found: tape.found }),
    measure: ({ threshold }) => {
      const at = least(tape.thresholds, (each) => Math.abs(each - threshold));
      return { ...tape.measured[tape.thresholds.indexOf(at)], threshold: at };
    },
    trace: ({ epoch, batch }) => {
      const one = least(tape.traces, (each) => Math.abs(each.epoch - epoch) + Math.abs(each.batch - batch) / 1e6);
      return { ...one, ...pictures(one.epoch, one.epoch + 1), lines: one.line };
    },
  };
  async function call(method, args = {}) {
    if (answers[method]) return answers[method](args);
    const asked = { ...args, data: tape.settings.data }, recorded = replies.filter((each) => each.method === method);
    const found = recorded.length && least(recorded, farCall(asked));
    if (found && farCall(asked)(found) < 1e6) return load(found.file);
    throw new Error("This is a recording. With Python on your computer it works: pip install evenodds, then evenodds learn");
  }
  return { live: false, call };
}
