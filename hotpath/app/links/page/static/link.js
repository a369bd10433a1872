// The web socket: it receives states and pictures, and reports what was displayed. It reconnects
// for ever. A picture is 8 bytes of frame index (big endian), then a JPEG; its state comes before it.

import * as api from "./api.js";

const FIRST_PAUSE_MS = 400;
const LONGEST_PAUSE_MS = 3000;
const SILENCE_MS = 5000; // the server sends at least twice a second

export class Link {
  // on: { state(state), picture(index, bitmap), status("live" | "lost" | "refused" | "connecting") }
  constructor(on) {
    this.on = on;
    this.pauseMs = FIRST_PAUSE_MS;
    this.waiting = null; // a picture that arrived while the page was hidden
    document.addEventListener("visibilitychange", () => this.#showWaiting());
    this.#connect();
    setInterval(() => this.#checkSilence(), 1000);
  }

  hold(index) {
    this.#send({ hold: index });
  }

  #connect() {
    const address = new URL("ws", location.href); // below the path of a reverse proxy
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(address);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.heard = performance.now();
    socket.onmessage = (event) => this.#receive(socket, event.data);
    socket.onclose = () => this.#closed(socket);
  }

  #receive(socket, data) {
    if (socket !== this.socket) return;
    this.heard = performance.now();
    this.pauseMs = FIRST_PAUSE_MS;
    if (typeof data === "string") {
      this.on.status("live");
      this.on.state(JSON.parse(data));
    } else if (document.hidden) {
      this.waiting = data; // not said to be seen, so that no more are sent
    } else {
      this.#show(socket, data);
    }
  }

  async #show(socket, data) {
    const index = Number(new DataView(data).getBigUint64(0));
    try {
      const jpeg = new Blob([new Uint8Array(data, 8)], { type: "image/jpeg" });
      this.on.picture(index, await createImageBitmap(jpeg));
    } finally {
      if (socket === this.socket) this.#send({ seen: index });
    }
  }

  #showWaiting() {
    if (document.hidden || !this.waiting) return;
    const data = this.waiting;
    this.waiting = null;
    this.#show(this.socket, data);
  }

  #send(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  #checkSilence() {
    const silent = performance.now() - this.heard > SILENCE_MS;
    if (silent && !document.hidden && this.socket.readyState <= WebSocket.OPEN) {
      const socket = this.socket;
      socket.close();
      this.#closed(socket);
    }
  }

  #closed(socket) {
    if (socket !== this.socket) return;
    this.socket = { readyState: WebSocket.CLOSED };
    this.waiting = null;
    this.on.status("lost");
    setTimeout(() => this.#again(), this.pauseMs);
    this.pauseMs = Math.min(2 * this.pauseMs, LONGEST_PAUSE_MS);
  }

  async #again() {
    try {
      await api.state(); // a refused socket does not say why, an answer does
    } catch (error) {
      if (error.status === 401 || error.status === 429) this.on.status("refused", error.message);
    }
    this.#connect();
  }
}
