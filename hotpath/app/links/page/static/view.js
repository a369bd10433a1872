// The picture, and over it the boxes and the box being drawn. All boxes are frame pixels.

// as in a saved video; none is near the amber and red of warnings
const COLOURS = ["#3cdc50", "#3caaff", "#ff6edc", "#5aebff", "#b48cff", "#c3f54a"];
const SURE = 0.8; // presence of a tracked target from which on a machine may act
const WARNINGS = { unsure: "#ffaa28", lost: "#ff4646" };
const PREDICTED_S = 2; // after that a prediction stands still
const LEAST_OFF = .15; // of the box's size, between a prediction and the box
const DARK = "rgb(8 12 16 / .85)";

export const colourOf = (number) => COLOURS[number % COLOURS.length];
export const sureOf = (presence) => presence.toFixed(2).replace(/^0/, "");
// drawn: the state without those of a single frame; what asks the user goes by the state itself
const colourNow = ({ number, drawn }) => WARNINGS[drawn] ?? colourOf(number);

export class View {
  // onDrawn: function of the state of the frame that is shown
  constructor(stage, picture, overlay, onDrawn) {
    this.onDrawn = onDrawn;
    this.stage = stage;
    this.picture = picture;
    this.overlay = overlay;
    this.states = new Map(); // frame index -> state, of the last few
    this.state = null; // of the picture that is shown
    this.newest = null; // {index, bitmap} that came while the picture stood still
    this.shown = null; // frame index of the picture that is shown
    this.frozen = false;
    this.draft = null; // the box being drawn
    this.selected = null;
    this.hidden = new Map(); // target number -> time_s of its first frame that is not tracked
    this.losses = new Map(); // target number -> {frame, time_s} of its loss
    new ResizeObserver(() => this.draw()).observe(stage);
  }

  addState(state) {
    this.states.delete(state.frame);
    this.states.set(state.frame, state);
    while (this.states.size > 12) this.states.delete(this.states.keys().next().value);
    for (const target of state.targets) {
      const since = this.hidden.get(target.number);
      if (!(target.state in WARNINGS)) this.hidden.delete(target.number);
      else if (state.time_s !== null && !(since <= state.time_s)) this.hidden.set(target.number, state.time_s);
      if (target.drawn !== "lost") this.losses.delete(target.number);
      else if (!this.losses.has(target.number)) {
        this.losses.set(target.number, { frame: state.frame, time_s: state.time_s });
      }
    }
    if (state.frame === this.shown) {
      this.state = state;
      this.draw();
    }
  }

  addPicture(index, bitmap) {
    if (this.frozen) {
      this.newest?.bitmap.close();
      this.newest = { index, bitmap };
      return;
    }
    this.#show(index, bitmap);
  }

  freeze(frozen) {
    this.frozen = frozen;
    if (!frozen && this.newest) {
      const { index, bitmap } = this.newest;
      this.newest = null;
      this.#show(index, bitmap);
    }
  }

  #show(index, bitmap) {
    if (this.picture.width !== bitmap.width || this.picture.height !== bitmap.height) {
      this.picture.width = bitmap.width;
      this.picture.height = bitmap.height;
      this.stage.style.setProperty("--aspect", `${bitmap.width} / ${bitmap.height}`);
    }
    this.picture.getContext("2d").drawImage(bitmap, 0, 0);
    bitmap.close();
    this.shown = this.picture.dataset.frame = index;
    this.state = this.states.get(index) ?? this.state;
    this.draw();
  }

  // for how long a target has been lost in the frame that is shown
  #sinceLoss(number) {
    const loss = this.losses.get(number);
    if (!loss || this.state.frame < loss.frame) return "lost";
    const seconds = this.state.time_s - loss.time_s;
    if (this.state.time_s === null || loss.time_s === null) {
      return `lost ${this.state.frame - loss.frame} frames`;
    }
    return `lost ${Math.max(0, seconds).toFixed(1)} s`;
  }

  // where the picture lies in the stage, CSS pixels, and how many of them a frame pixel is
  place() {
    const { clientWidth: width, clientHeight: height } = this.stage;
    const [w, h] = this.state?.size ?? [4, 3];
    const scale = Math.min(width / w, height / h);
    return { left: (width - w * scale) / 2, top: (height - h * scale) / 2, scale, w, h, width, height };
  }

  // frame pixels under a point of the window, kept inside the frame
  toFrame(clientX, clientY) {
    const at = this.overlay.getBoundingClientRect();
    const { left, top, scale, w, h } = this.place();
    const clamp = (value, most) => Math.min(Math.max(value, 0), most);
    return [clamp((clientX - at.left - left) / scale, w), clamp((clientY - at.top - top) / scale, h)];
  }

  targetAt(x, y) {
    const inside = ({ box }) =>
      box && x >= box[0] && y >= box[1] && x <= box[0] + box[2] && y <= box[1] + box[3];
    const found = (this.state?.targets ?? []).filter(inside);
    found.sort((a, b) => a.box[2] * a.box[3] - b.box[2] * b.box[3]);
    return found.length ? found[0].number : null;
  }

  draw() {
    const ratio = window.devicePixelRatio || 1;
    const width = Math.round(this.stage.clientWidth * ratio);
    const height = Math.round(this.stage.clientHeight * ratio);
    if (this.overlay.width !== width || this.overlay.height !== height) {
      this.overlay.width = width;
      this.overlay.height = height;
    }
    const pen = this.overlay.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    if (!this.state || this.shown === null) return;
    const place = this.place();
    this.#drawTargets(pen, place);
    this.onDrawn(this.state);
    if (this.draft) this.#drawDraft(pen, place, this.draft);
  }

  #drawTargets(pen, place) {
    const found = this.state.targets.filter((target) => target.box), taken = [];
    place.letter = Math.max(15, Math.min(place.width / 40, place.height / 48)); // a label's size
    for (const target of found) this.#drawBox(pen, place, target);
    for (const target of found) if (this.#isPredicted(target)) this.#drawPredicted(pen, place, target);
    for (const target of found) this.#drawLabel(pen, place, target, taken);
  }

  #drawBox(pen, place, target) {
    const colour = colourNow(target);
    const [x, y] = onStage(place, target.box[0], target.box[1]);
    const w = target.box[2] * place.scale, h = target.box[3] * place.scale;
    const chosen = target.number === this.selected && this.state.targets.length > 1;
    const warned = target.drawn in WARNINGS;
    // thin: tracked, but with too low a presence for a machine to act
    const line = (chosen ? 4 : 2.5) / (!warned && (target.presence ?? 1) < SURE ? 2 : 1);
    pen.setLineDash(warned ? [8, 6] : []);
    for (const [style, width] of [[DARK, line + 2.5], [colour, line]]) {
      pen.strokeStyle = style;
      pen.lineWidth = width * place.letter / 15;
      pen.strokeRect(x, y, w, h);
    }
    pen.setLineDash([]);
  }

  // above the box where there is room, else below it, else inside, else at the nearest free height
  #drawLabel(pen, place, target, taken) {
    const [x, y] = onStage(place, target.box[0], target.box[1]);
    const h = target.box[3] * place.scale;
    const presence = target.presence ?? target.score, sure = presence === null ? "" : sureOf(presence);
    const word = target.drawn === "unsure" ? `unsure ${sure}` : sure;
    const name = [`#${target.number}`, target.class_name];
    const figure = target.drawn === "lost" ? this.#sinceLoss(target.number) : word;
    const text = `${name.filter(Boolean).join(" ")}\u2002${figure}`; // wide: "#6 .93" is not 6.93
    pen.font = fontOf(place);
    const pad = place.letter / 2, high = Math.round(1.6 * place.letter), most = place.height - high;
    const wide = pen.measureText(text).width + 2 * pad;
    const left = Math.max(0, Math.min(x - 1, place.width - wide));
    const above = y - high - 3;
    const others = Array.from({ length: Math.max(0, most / 4) }, (_, n) => 4 * n)
      .sort((a, b) => Math.abs(a - above) - Math.abs(b - above));
    const inside = Math.max(0, Math.min(y + 3, most));
    const heights = [above, y + h + 3].filter((top) => top >= 0 && top <= most);
    heights.push(inside, ...others);
    const isFree = (top) => !taken.some((other) => left < other.left + other.wide
      && other.left < left + wide && top < other.top + other.high && other.top < top + high);
    const top = heights.find(isFree) ?? heights[0];
    taken.push({ left, top, wide, high });
    pen.fillStyle = colourNow(target);
    pen.beginPath();
    pen.roundRect ? pen.roundRect(left, top, wide, high, 5) : pen.rect(left, top, wide, high);
    pen.fill();
    pen.strokeStyle = DARK; // a blue label in the sky
    pen.lineWidth = 1;
    pen.stroke();
    pen.fillStyle = "#0a0d10";
    pen.textBaseline = "middle";
    pen.fillText(text, left + pad, top + high / 2 + 1);
  }

  // where a hidden target would be: thin and dotted, and only in the picture
  #drawPredicted(pen, place, target) {
    const [x, y] = onStage(place, target.predicted[0], target.predicted[1]);
    pen.save();
    pen.beginPath();
    pen.rect(place.left, place.top, place.w * place.scale, place.h * place.scale);
    pen.clip();
    pen.setLineDash([2, 5]);
    for (const [style, line] of [[DARK, 2.5], [colourNow(target), 1.25]]) {
      pen.strokeStyle = style;
      pen.lineWidth = line * place.letter / 15;
      pen.strokeRect(x, y, target.predicted[2] * place.scale, target.predicted[3] * place.scale);
    }
    pen.restore();
  }

  // a prediction is news for a while after the target was tracked, and where it is not the box
  #isPredicted({ number, drawn, box, predicted }) {
    if (!(drawn in WARNINGS) || !predicted || !this.hidden.has(number)) return false;
    const off = Math.max(...box.map((value, index) => Math.abs(value - predicted[index])));
    const isOther = off > LEAST_OFF * Math.sqrt(box[2] * box[3]);
    return isOther && this.state.time_s - this.hidden.get(number) <= PREDICTED_S;
  }

  #drawDraft(pen, place, box) {
    const [x, y] = onStage(place, box[0], box[1]);
    const w = box[2] * place.scale, h = box[3] * place.scale;
    pen.fillStyle = "rgb(4 8 12 / .45)";
    pen.beginPath();
    pen.rect(0, 0, this.stage.clientWidth, this.stage.clientHeight);
    pen.rect(x, y, w, h);
    pen.fill("evenodd");
    for (const [style, line] of [[DARK, 5], ["#ffffff", 2.5]]) {
      pen.strokeStyle = style;
      pen.lineWidth = line;
      pen.strokeRect(x, y, w, h);
    }
  }
}

const fontOf = ({ letter }) => `700 ${letter}px system-ui, sans-serif`;
const onStage = (place, x, y) => [place.left + x * place.scale, place.top + y * place.scale];
