// Draw a box by mouse, finger or keyboard. Meanwhile the picture stands still, and the run keeps
// its frame.

const SMALLEST_PX = 5; // CSS pixels; a smaller drag is a tap
const STEP_PX = 8; // frame pixels a key press

export class Aim {
  // on: { chosen(frame, box), tapped(frame, point, number of a target there or null), started(), ended() }
  constructor(view, link, on) {
    this.view = view;
    this.link = link;
    this.on = on;
    this.from = null; // where the drag began, frame pixels
    this.aiming = false;
    this.byTouch = false;
    const overlay = view.overlay;
    overlay.addEventListener("pointerdown", (event) => this.#down(event));
    overlay.addEventListener("pointermove", (event) => this.#move(event));
    overlay.addEventListener("pointerup", (event) => this.#up(event));
    overlay.addEventListener("pointercancel", () => this.cancel());
    overlay.addEventListener("keydown", (event) => this.#key(event));
    overlay.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  cancel() {
    if (this.aiming) this.#end();
  }

  #start() {
    if (this.view.shown === null) return false;
    if (!this.aiming) {
      this.aiming = true;
      this.link.hold(this.view.shown);
      this.view.freeze(true);
      this.on.started();
    }
    return true;
  }

  #end() {
    this.aiming = false;
    this.from = null;
    this.view.draft = null;
    this.on.ended();
    this.view.draw();
  }

  #choose() {
    const box = this.view.draft, frame = this.view.shown;
    this.#end();
    if (box) this.on.chosen(frame, box.map((value) => Math.round(value * 100) / 100));
  }

  #down(event) {
    this.byTouch = event.pointerType === "touch";
    if (!event.isPrimary || event.button !== 0 || !this.#start()) return;
    this.view.overlay.setPointerCapture(event.pointerId);
    this.pointer = event.pointerId;
    this.from = this.view.toFrame(event.clientX, event.clientY);
    this.view.draft = null;
  }

  #move(event) {
    if (!this.from || event.pointerId !== this.pointer) return;
    const [x, y] = this.view.toFrame(event.clientX, event.clientY);
    const [x0, y0] = this.from;
    this.view.draft = [Math.min(x, x0), Math.min(y, y0), Math.abs(x - x0), Math.abs(y - y0)];
    this.view.draw();
  }

  #up(event) {
    if (!this.from || event.pointerId !== this.pointer) return;
    this.#move(event);
    const least = SMALLEST_PX / this.view.place().scale;
    const [, , w, h] = this.view.draft;
    if (w >= least && h >= least) {
      this.#choose();
    } else {
      const point = this.from, frame = this.view.shown;
      this.#end();
      this.on.tapped(frame, point.map((value) => Math.floor(value)), this.view.targetAt(...point));
    }
  }

  #key(event) {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const move = moves[event.key];
    this.byTouch = false;
    if (event.key === "Escape" && this.aiming) this.cancel();
    else if (event.key === "Enter" && this.aiming) this.#choose();
    else if ((move || event.key === "Enter") && this.#start()) this.#nudge(move, event);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #nudge(move, event) {
    const [width, height] = this.view.state.size;
    if (!this.view.draft) {
      const side = Math.min(width, height) / 5;
      this.view.draft = [(width - side) / 2, (height - side) / 2, side, side];
    } else if (move) {
      const step = event.altKey ? 1 : STEP_PX;
      let [x, y, w, h] = this.view.draft;
      if (event.shiftKey) {
        w = Math.min(Math.max(STEP_PX, w + step * move[0]), width - x);
        h = Math.min(Math.max(STEP_PX, h + step * move[1]), height - y);
      } else {
        x = Math.min(Math.max(0, x + step * move[0]), width - w);
        y = Math.min(Math.max(0, y + step * move[1]), height - h);
      }
      this.view.draft = [x, y, w, h];
    }
    this.view.draw();
  }
}
