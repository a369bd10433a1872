// What is beside the picture: the list of targets with their pictures, and the figures. Text changes only where a value
// changed.

import { colourOf, sureOf } from "./view.js";

const byId = (id) => document.getElementById(id);

const PICTURE_PX = 160; // as the server's
const AROUND = 2; // side of a target's picture, by the longer side of its box

export class Targets {
  // on: { select(number), drop(number), confirm(number), reject(number) }
  constructor(on) {
    this.on = on;
    this.list = byId("targets");
    this.items = new Map();
  }

  // can: whether a target can be lost; asked: whether steering waits; off: whether the run does not
  // answer; silent: whether the source sends nothing
  show(targets, selected, { can, asked, off, silent }) {
    for (const [number, item] of this.items) {
      if (!targets.some((target) => target.number === number)) {
        item.root.remove();
        this.items.delete(number);
      }
    }
    for (const target of targets) {
      const item = this.items.get(target.number) ?? this.#make(target.number);
      put(item.name, called(target.number));
      const differ = target.state === "unsure" && target.witnessed === false && "the networks differ";
      put(item.word, [target.class_name, target.state, differ].filter(Boolean).join(", "));
      put(item.kind, target.presence === null ? "score " : "presence ");
      item.root.dataset.state = target.state;
      item.root.setAttribute("aria-current", target.number === selected);
      const chosen = target.number === selected;
      item.root.classList.toggle("stale", off || silent);
      item.drop.disabled = off;
      const isUnsure = target.state === "unsure"; // which is asked of every target
      item.yes.hidden = off || !(isUnsure || (chosen && asked));
      item.no.hidden = off || !(isUnsure || chosen) || !can || target.lost;
      item.question.hidden = item.yes.hidden;
    }
    byId("no-target").hidden = targets.length > 0;
  }

  // the presence in the frame that is shown, as the label in the picture has it, and what the box holds there
  showPresence({ targets, size }, picture) {
    for (const target of targets) {
      const item = this.items.get(target.number);
      if (!item) continue;
      if (target.box) drawAround(item.now, picture, target.box, picture.width / size[0]);
      put(item.when, target.lost ? "last place" : "now");
      const sure = target.presence ?? target.score; // a network that cannot tell has only a score
      put(item.sure, sure === null ? "–" : sureOf(sure));
      item.bar.style.transform = `scaleX(${sure ?? 0})`;
    }
  }

  #make(number) {
    const root = document.createElement("li");
    root.className = "target";
    root.style.setProperty("--colour", colourOf(number));
    const pick = add(root, "button", "pick");
    pick.type = "button";
    pick.title = "A new box replaces this target";
    const name = add(pick, "span", "name");
    const word = add(pick, "span", "word");
    const figure = add(pick, "span", "score");
    const kind = add(figure, "small");
    kind.title = "How likely it is, from 0 to 1, that the box holds your target";
    const sure = add(figure, "b");
    const bar = add(add(pick, "span", "meter"), "i");
    const drop = add(root, "button", "drop");
    drop.type = "button";
    drop.setAttribute("aria-label", `Drop target ${number}`);
    drop.innerHTML = '<svg aria-hidden="true"><use href="#i-cross"/></svg>';
    const pair = add(root, "div", "pair");
    const [first, now] = ["img", "canvas"].map((kind) => add(add(pair, "figure"), kind));
    first.src = `api/targets/${number}/selected`;
    first.alt = `Target ${number} as it was selected`;
    now.width = now.height = PICTURE_PX;
    now.setAttribute("role", "img");
    now.setAttribute("aria-label", `What the box of target ${number} holds now`);
    add(first.parentNode, "figcaption").textContent = "as selected";
    const when = add(now.parentNode, "figcaption");
    const answers = add(root, "div", "answers");
    const question = add(answers, "p", "question");
    question.textContent = "Is it the same object?";
    const [yes, no] = ["yes", "no"].map((kind) => add(answers, "button", kind));
    for (const [button, icon, words] of [[yes, "check", "Yes, this is the target"], [no, "cross", "No, go on searching"]]) {
      button.type = "button";
      button.innerHTML = `<svg aria-hidden="true"><use href="#i-${icon}"/></svg><span>${words}</span>`;
    }
    yes.addEventListener("click", () => this.on.confirm(number));
    no.addEventListener("click", () => this.on.reject(number));
    pick.addEventListener("click", () => this.on.select(number));
    drop.addEventListener("click", () => this.on.drop(number));
    this.list.append(root);
    const item = { root, name, word, kind, sure, bar, drop, now, when, question, yes, no };
    this.items.set(number, item);
    return item;
  }
}

export const called = (number) => `Target ${number}`;

// a box with its surroundings; scale: pixels of the picture for one of the frame
function drawAround(canvas, picture, [x, y, w, h], scale) {
  const side = AROUND * Math.max(w, h) * scale, pen = canvas.getContext("2d");
  pen.clearRect(0, 0, PICTURE_PX, PICTURE_PX);
  pen.drawImage(picture, (x + w / 2) * scale - side / 2, (y + h / 2) * scale - side / 2, side, side, 0, 0, PICTURE_PX, PICTURE_PX);
}

export class Figures {
  constructor() {
    this.list = byId("figures");
    this.items = new Map();
  }

  show(state) {
    const { ms, board, gaps } = state;
    const number = (value, digits = 0) =>
      value === null || value === undefined ? null : value.toFixed(digits);
    const steps = ["crop", "network", "select"]
      .filter((name) => ms[name] !== undefined)
      .map((name) => `${name} ${ms[name].toFixed(ms[name] < 9.995 ? 2 : 1)}`);
    this.#figure("FPS", number(state.fps, state.fps < 100 ? 1 : 0), "", "");
    const busy = state.targets.length > 0;
    this.#figure("Tracking", busy ? number(ms.total, 2) : null, "ms", busy ? "" : "no target");
    const late = state.latency_ms;
    if (late?.median !== undefined) {
      this.#figure(state.latency_from === "camera" ? "Camera to box" : "Arrival to box", number(late.median, 1), "ms",
        `p95 ${number(late.p95, 1)} · p99 ${number(late.p99, 1)}`);
    }
    if (board.temp_c != null) {
      this.#figure("Temperature", number(board.temp_c), "°C", "", { warn: board.temp_c >= 85 });
    }
    if (board.clock_hz != null) {
      const giga = board.clock_hz >= 1e9;
      const clock = number(board.clock_hz / (giga ? 1e9 : 1e6), giga ? 2 : 0);
      this.#figure("Clock", clock, giga ? "GHz" : "MHz", board.clock);
    }
    if (board.power_mw != null) this.#figure("Power", number(board.power_mw / 1e3, 1), "W", "");
    if (state.live) {
      this.#figure("Dropped", String(state.dropped), "", "frames");
      const lost = gaps.count ? `${gaps.seconds} s in all` : "";
      this.#figure("Gaps", String(gaps.count), "", lost, { warn: state.waiting === "frames" });
    }
    const at = state.frames ? `of ${state.frames}` : state.time_s === null ? "" : `${state.time_s.toFixed(1)} s`;
    this.#figure("Frame", String(state.frame), "", at);
    put(byId("more"), [...(busy ? steps.map((step) => `${step} ms`) : []), state.network, state.engine].join(" · "));
  }

  #figure(name, value, unit, note, { warn = false } = {}) {
    let item = this.items.get(name);
    if (!item) {
      const root = add(this.list, "div");
      add(root, "dt").textContent = name;
      const dd = add(root, "dd");
      item = { root, value: add(dd, "span"), unit: add(dd, "small"), note: add(dd, "span", "note") };
      this.items.set(name, item);
    }
    put(item.value, value ?? "–");
    put(item.unit, value === null || value === undefined ? "" : unit);
    put(item.note, note);
    item.root.classList.toggle("warn", warn);
  }
}

function add(parent, tag, className = "") {
  const node = document.createElement(tag);
  if (className) node.className = className;
  parent.append(node);
  return node;
}

export function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
