// The time line: the words of the past, a mark at each find. Of a recording it shows the whole
// film, and a click goes there. Of a stream it shows the last minutes, and a click shows the picture
// of that moment.

const SOONEST_MS = 1000; // it is asked for as often
const SPANS_S = [30, 60, 120, 300, 600]; // of a stream: the line grows with the run
const COLOURS = { tracked: "--good-area", unsure: "--warn-area", lost: "--bad-area" };

export class TimeLine {
  // ask(): the past of all targets, a promise
  constructor(root, canvas, range, label, ask) {
    this.root = root;
    this.canvas = canvas;
    this.range = range;
    this.label = label;
    this.ask = ask;
    this.past = { seconds: null, targets: [] };
    this.asked = 0;
    this.version = null;
    new ResizeObserver(() => this.#draw()).observe(root);
  }

  // state: the newest; number: of the selected target; held: whether the user moves a recording's
  // place; lookedAt: the time of a stream whose pictures are shown, null: now
  async show(state, number, held, lookedAt) {
    this.state = state;
    this.number = number;
    // a stream without a target has no past to show
    const shown = state.live ? this.past.targets.length > 0 || state.targets.length > 0 : state.frames > 1;
    this.root.hidden = !shown;
    if (!shown) return;
    if (state.live) {
      const value = lookedAt === null ? 0 : Math.round(lookedAt - state.time_s);
      Object.assign(this.range, { min: -this.#seconds(), max: 0, value });
    } else if (!held) {
      Object.assign(this.range, { min: 0, max: state.frames - 1, value: state.frame });
    }
    const key = `${state.run} ${state.album} ${number} ${state.frame}`;
    const now = performance.now();
    if (key !== this.version && now - this.asked > SOONEST_MS) {
      this.asked = now;
      this.version = key;
      try {
        this.past = await this.ask();
      } catch { /* the next state asks again */ }
    }
    this.#draw();
  }

  // how many seconds of a stream are shown: since the first target, at most what is kept
  #seconds() {
    const most = Math.round(this.past.seconds ?? SPANS_S.at(-1));
    const begun = this.past.targets.map((line) => line.runs[0]?.[1]).filter(Number.isFinite);
    const needed = this.state.time_s === null || !begun.length ? most : this.state.time_s - Math.min(...begun);
    return Math.min(most, SPANS_S.find((span) => span >= needed) ?? most);
  }

  #place(frame, time_s) {
    if (!this.state.live) return frame / Math.max(1, this.state.frames);
    return 1 - (this.state.time_s - time_s) / this.#seconds();
  }

  // the runs of words, and where the last one ends: of a target that is followed in the newest
  // frame, which may have come since the past was asked for
  #untilNow(line) {
    const target = this.state.targets.find((one) => one.number === line.number);
    const end = [line.last[0] + 1, line.last[1]];
    if (!target || this.state.frame < line.last[0]) return [line.runs, end];
    const runs = [...line.runs];
    if (target.state !== runs.at(-1)?.[2]) runs.push([...end, target.state]);
    return [runs, [this.state.frame + 1, this.state.time_s]];
  }

  #draw() {
    if (!this.state || this.root.hidden) return;
    const ratio = window.devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = this.canvas;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    const pen = this.canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    const style = getComputedStyle(this.root);
    const colour = (name) => style.getPropertyValue(name).trim();
    const top = 9, high = height - top;
    pen.fillStyle = colour("--line");
    pen.fillRect(0, top, width, high);
    const lines = this.past.targets.filter((one) => one.number !== this.number);
    const chosen = this.past.targets.find((one) => one.number === this.number);
    for (const line of [...lines, chosen].filter(Boolean)) {
      const inside = line.number === this.number;
      pen.globalAlpha = inside ? 1 : 0.3; // those that were dropped, or are not selected
      if (!inside && this.state.live) continue;
      const [runs, end] = this.#untilNow(line);
      runs.forEach(([frame, time_s, word], place) => {
        const next = runs[place + 1] ?? end;
        const from = Math.max(0, this.#place(frame, time_s)) * width;
        const to = Math.max(0, this.#place(next[0], next[1])) * width;
        pen.fillStyle = colour(COLOURS[word]);
        pen.fillRect(from, top, Math.max(1, to - from), high);
      });
    }
    pen.globalAlpha = 1;
    pen.fillStyle = colour("--ink");
    for (const [frame, time_s] of chosen?.finds ?? []) {
      const x = this.#place(frame, time_s) * width;
      pen.beginPath();
      pen.moveTo(x - 5, 0);
      pen.lineTo(x + 5, 0);
      pen.lineTo(x, top - 1);
      pen.fill();
      pen.fillRect(x - 0.75, top, 1.5, high);
    }
    const now = Number(this.range.value);
    const at = this.state.live ? (now - this.range.min) / (this.range.max - this.range.min) : now / Math.max(1, this.range.max);
    pen.fillRect(Math.min(width - 3, Math.max(0, at * width - 1.5)), 3, 3, height - 3);
    const seconds = this.state.live ? now : this.state.time_s;
    this.label.textContent = this.state.live
      ? (now ? `${-now} s ago` : "now")
      : seconds === null ? `frame ${now}` : clock(now === this.state.frame ? seconds : (seconds * now) / Math.max(1, this.state.frame));
  }
}

const clock = (seconds) => `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(1).padStart(4, "0")}`;
