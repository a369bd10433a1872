// Zoom and pan the picture: by wheel, by pinch, by keys and buttons. A drag with the right or the
// middle button, or with two fingers, moves the zoomed picture.

const MOST = 12; // times as large as it fits
const WHEEL = 0.0016;
export const STEP = 1.5; // of a key or a button

export class Zoom {
  // cancel(): end the box that a first finger began
  constructor(view, cancel) {
    this.view = view;
    this.cancel = cancel;
    this.fingers = new Map(); // pointer -> [x, y]
    this.dragged = null; // the pointer of a drag by a mouse
    const overlay = view.overlay;
    overlay.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    overlay.addEventListener("pointerdown", (event) => this.#down(event));
    overlay.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) {
      overlay.addEventListener(name, (event) => this.#up(event));
    }
  }

  // by a factor, around a point of the stage; its middle by default
  by(factor, x = this.view.stage.clientWidth / 2, y = this.view.stage.clientHeight / 2) {
    const { zoom } = this.view;
    const scale = Math.min(MOST, Math.max(1, zoom.scale * factor));
    const grown = scale / zoom.scale;
    this.#set(scale, x - (x - zoom.x) * grown, y - (y - zoom.y) * grown);
  }

  reset() {
    this.#set(1, 0, 0);
  }

  #set(scale, x, y) {
    const { clientWidth: width, clientHeight: height } = this.view.stage;
    const clamp = (value, size) => Math.min(0, Math.max(size * (1 - scale), value));
    this.view.setZoom({ scale, x: clamp(x, width), y: clamp(y, height) });
  }

  #at(event) {
    const box = this.view.overlay.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  #wheel(event) {
    event.preventDefault();
    const pixels = event.deltaMode === 1 ? 30 * event.deltaY : event.deltaY;
    this.by(Math.exp(-pixels * WHEEL * (event.ctrlKey ? 6 : 1)), ...this.#at(event));
  }

  #down(event) {
    if (event.pointerType === "touch") {
      this.fingers.set(event.pointerId, this.#at(event));
      if (this.fingers.size === 2) this.cancel();
    } else if (event.button > 0) {
      this.dragged = event.pointerId;
      this.from = this.#at(event);
      this.view.overlay.setPointerCapture(event.pointerId);
    }
  }

  #move(event) {
    const { zoom } = this.view;
    const at = this.#at(event);
    if (this.dragged === event.pointerId) {
      this.#set(zoom.scale, zoom.x + at[0] - this.from[0], zoom.y + at[1] - this.from[1]);
      this.from = at;
    }
    if (!this.fingers.has(event.pointerId)) return;
    const before = this.#pinch();
    this.fingers.set(event.pointerId, at);
    const now = this.#pinch();
    if (!before || !now) return;
    this.#set(zoom.scale, zoom.x + now.x - before.x, zoom.y + now.y - before.y);
    this.by(now.apart / before.apart, now.x, now.y);
  }

  #pinch() {
    if (this.fingers.size !== 2) return null;
    const [[ax, ay], [bx, by]] = this.fingers.values();
    return { x: (ax + bx) / 2, y: (ay + by) / 2, apart: Math.max(10, Math.hypot(ax - bx, ay - by)) };
  }

  #up(event) {
    this.fingers.delete(event.pointerId);
    if (this.dragged === event.pointerId) this.dragged = null;
  }
}
