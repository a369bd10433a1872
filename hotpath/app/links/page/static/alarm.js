// A tone and a vibration where a target is lost. Off until the user switches it on.

const NAME = "hotpath-alarm";

export class Alarm {
  constructor(button) {
    this.button = button;
    this.lost = null; // numbers of the lost targets; what was lost before the page was opened is no news
    this.on = false;
    try {
      this.on = localStorage.getItem(NAME) === "on";
    } catch { /* the browser keeps nothing */ }
    button.addEventListener("click", () => this.#switch());
    // a browser allows sounds after the first touch of the page only
    for (const kind of ["pointerdown", "keydown"]) {
      document.addEventListener(kind, () => this.on && this.#wake(), { once: true, capture: true });
    }
    this.#show();
  }

  #switch() {
    this.on = !this.on;
    try {
      localStorage.setItem(NAME, this.on ? "on" : "off");
    } catch { /* the same */ }
    this.#show();
    if (this.on) this.#sound(); // so that the user knows it, and the browser allows it
  }

  #show() {
    this.button.setAttribute("aria-pressed", this.on);
    this.button.title = this.on ? "Sound at a loss: on" : "Sound at a loss: off";
  }

  // targets: of the newest state
  hear(targets) {
    const lost = targets.filter((target) => target.lost).map((target) => target.number);
    if (this.on && lost.some((number) => !(this.lost?.has(number) ?? true))) this.#sound();
    this.lost = new Set(lost);
  }

  #wake() {
    try {
      this.context ??= new AudioContext();
      this.context.resume();
    } catch { /* no sound here */ }
  }

  #sound() {
    if (navigator.userActivation?.hasBeenActive ?? true) navigator.vibrate?.([180, 80, 180]);
    this.#wake();
    try {
      const now = this.context.currentTime;
      for (const [begin, pitch] of [[0, 660], [0.18, 440]]) {
        const tone = this.context.createOscillator(), gain = this.context.createGain();
        tone.frequency.value = pitch;
        gain.gain.setValueAtTime(0.18, now + begin);
        gain.gain.exponentialRampToValueAtTime(0.001, now + begin + 0.16);
        tone.connect(gain).connect(this.context.destination);
        tone.start(now + begin);
        tone.stop(now + begin + 0.17);
      }
    } catch { /* no sound here */ }
  }
}
