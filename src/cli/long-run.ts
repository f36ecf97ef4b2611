/** How far a long run has come, on one line of a terminal; nothing when nobody looks. */
const EVERY_BYTES = 16 * 1024 * 1024;

export class LongRun {
  readonly #terminal: Pick<NodeJS.WriteStream, 'isTTY' | 'write'>;
  #what = '';
  #bytes = 0;
  #shownBytes = 0;
  #isShown = false;

  constructor(terminal: Pick<NodeJS.WriteStream, 'isTTY' | 'write'> = process.stderr) {
    this.#terminal = terminal;
  }

  /** Begins to count anew. */
  begin(what: string): void {
    this.clear();
    this.#what = what;
    this.#bytes = 0;
    this.#shownBytes = 0;
  }

  /** So many more bytes have been read. */
  add(bytes: number): void {
    this.#bytes += bytes;
    if (!this.#terminal.isTTY || this.#bytes - this.#shownBytes < EVERY_BYTES) return;
    this.#shownBytes = this.#bytes;
    this.#isShown = true;
    this.#terminal.write(`\r${this.#what}: ${Math.floor(this.#bytes / 1024 / 1024)} MiB read`);
  }

  /** Takes the line away, before others are written. */
  clear(): void {
    if (this.#isShown) this.#terminal.write('\r\u001b[K');
    this.#isShown = false;
  }
}
