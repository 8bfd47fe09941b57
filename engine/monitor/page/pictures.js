// The picture socket of one source. The next picture is asked for when one was drawn: a slow
// page gets fewer of them, and what it shows is never old.

const RETRY_MS = 1000;

/** Opens a source's pictures again and again until `close`. */
export class PictureSocket {
  /**
   * @param {number} source its number
   * @param {(header: object, bitmap: ImageBitmap) => void} draw called with each picture
   * @param {(text: string) => void} refused called with the reason of a refusal
   */
  constructor(source, draw, refused) {
    this.source = source;
    this.draw = draw;
    this.refused = refused;
    this.closed = false;
    this.roundTripMs = 0;
    this.lastEcho = null;
    this.drawn = 0;
    this.open();
  }

  open() {
    const address = new URL(`api/v1/sources/${this.source}/pictures`, document.baseURI);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    address.search = "";
    this.socket = new WebSocket(address);
    this.socket.binaryType = "arraybuffer";
    this.socket.onmessage = (message) => this.receive(message.data);
    this.socket.onclose = (event) => {
      if (this.closed) return;
      if (event.reason) this.refused(event.reason);
      setTimeout(() => this.closed || this.open(), RETRY_MS);
    };
  }

  async receive(data) {
    const received = performance.now();
    const length = new DataView(data).getUint32(0);
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
    if (header.echo !== null && header.echo !== this.lastEcho) {
      this.lastEcho = header.echo;
      this.roundTripMs = Math.max(0, received - header.echo - header.held_ms);
    }
    const jpeg = new Blob([new Uint8Array(data, 4 + length)], { type: "image/jpeg" });
    const bitmap = await createImageBitmap(jpeg);
    if (this.closed) return;
    // Two pictures are decoded at a time, and the later one may be ready first.
    if (header.number > this.drawn) this.show(header, bitmap, received);
    bitmap.close();
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(String(performance.now()));
  }

  show(header, bitmap, received) {
    this.drawn = header.number;
    // The whole round trip: at least as long as the way here.
    header.shown_ms = header.age_ms + this.roundTripMs + performance.now() - received;
    this.draw(header, bitmap);
  }

  close() {
    this.closed = true;
    this.socket.close();
  }
}
