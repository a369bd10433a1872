// Draw a box by mouse or finger. Meanwhile the picture stands still, and the run keeps
// its frame.

const SMALLEST_PX = 5; // CSS pixels; a smaller drag is a tap

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
}
