/** One socket and its session: moves bytes between them, pauses and resumes reading, keeps its deadline. */
import type { Connection } from '../../core/net/network.ts';
import type { Clock, Timer } from '../../core/time/clock.ts';
import type { ConnectionSession } from '../session/connection.ts';

export interface LinkEvents {
  /** Bytes were handled, or time passed: the broker has a turn to take. */
  turn(link: Link): void;
  gone(link: Link): void;
  received(bytes: number): void;
  sent(bytes: number): void;
}

export class Link {
  readonly connection: Connection;
  readonly session: ConnectionSession;
  readonly connectedAtMs: number;
  readonly #clock: Clock;
  readonly #events: LinkEvents;
  #isPaused = false;
  /** Bytes written, and how many of them the socket had taken at the last look. */
  #writtenBytes = 0;
  #takenBytes = 0;
  #isEnded = false;
  #timer: { readonly timer: Timer; readonly atMs: number } | undefined;

  constructor(connection: Connection, session: ConnectionSession, clock: Clock, events: LinkEvents) {
    this.connection = connection;
    this.session = session;
    this.connectedAtMs = clock.now();
    this.#clock = clock;
    this.#events = events;
  }

  /** Begins to receive. */
  start(): void {
    this.connection.attach({
      data: (chunk) => {
        this.#events.received(chunk.length);
        this.session.receive(chunk, this.#clock.monotonic());
        this.#events.turn(this);
      },
      drain: () => {
        this.session.setWritable(true, this.#clock.monotonic());
        this.session.resume(this.#clock.monotonic());
        this.#events.turn(this);
      },
      close: () => {
        this.#timer?.timer.cancel();
        this.#timer = undefined;
        this.#isEnded = true;
        this.session.closed();
        this.#events.gone(this);
      },
    });
    this.#arm();
  }

  /** Lets a session that waited go on, as far as it can. */
  resume(): void {
    if (!this.#isEnded && !this.session.isReading) this.session.resume(this.#clock.monotonic());
  }

  /** Writes all output at once and adjusts reading, the end and the deadline to what the session says. */
  flush(): void {
    if (this.#isEnded) return;
    const output = this.session.takeOutput();
    if (output !== undefined) {
      this.#events.sent(output.length);
      this.#writtenBytes += output.length;
      if (!this.connection.write(output)) this.session.setWritable(false, this.#clock.monotonic());
    }
    if (this.session.isOver) {
      this.#isEnded = true;
      this.connection.end();
      return;
    }
    this.#pauseOrResume();
    this.#arm();
  }

  #pauseOrResume(): void {
    if (this.session.isReading === !this.#isPaused) return;
    this.#isPaused = !this.#isPaused;
    if (this.#isPaused) this.connection.pause();
    else this.connection.resume();
  }

  /** A timer that is too early only finds nothing to do, so it is set anew only when it would be too late. */
  #arm(): void {
    const atMs = this.session.deadlineMs;
    if (atMs === undefined || this.#isEnded) return;
    if (this.#timer !== undefined && this.#timer.atMs <= atMs) return;
    this.#timer?.timer.cancel();
    const delayMs = Math.max(0, atMs - this.#clock.monotonic());
    this.#timer = { timer: this.#clock.schedule(delayMs, () => this.#tick()), atMs };
  }

  #tick(): void {
    this.#timer = undefined;
    if (this.#isEnded) return;
    this.#lookAtProgress();
    this.session.tick(this.#clock.monotonic());
    this.#events.turn(this);
  }

  /** A slow reader is no dead one: who takes anything is alive. */
  #lookAtProgress(): void {
    const takenBytes = this.#writtenBytes - this.connection.bufferedBytes;
    if (takenBytes > this.#takenBytes) this.session.outputTaken(this.#clock.monotonic());
    this.#takenBytes = takenBytes;
  }
}
