/**
 * Events that cannot be lost: written in the transaction of the change they tell of, published after its
 * commit, deleted when the queue has confirmed. What a crash or an absent queue leaves behind is told again,
 * so a consumer may see an event twice and knows it by its id.
 *
 *   BEGIN; change; INSERT INTO octet_outbox; COMMIT  ──▶  publish  ──▶ confirm ──▶ DELETE FROM octet_outbox
 */
import { messageOf } from '../core/errors.ts';
import type { Log } from '../core/observe/types.ts';
import type { Clock, Timer } from '../core/time/clock.ts';
import type { Database, Session } from './database.ts';
import type { ApiLimits } from './limits.ts';
import type { ApiMetrics } from './metrics.ts';

export interface Event {
  /** Also the message id. */
  readonly id: string;
  readonly exchange: string;
  readonly routingKey: string;
  /** JSON. */
  readonly body: string;
  readonly requestId: string;
  readonly createdAtMs: number;
}

/** Resolves when the queue has the event safely. */
export interface Publisher {
  publish(event: Event): Promise<void>;
  close(): Promise<void>;
}

const CREATE = `CREATE TABLE IF NOT EXISTS octet_outbox (
  id text PRIMARY KEY,
  exchange text NOT NULL,
  routing_key text NOT NULL,
  body text NOT NULL,
  request_id text NOT NULL,
  created_at_ms bigint NOT NULL
)`;

export class Outbox {
  readonly #database: Database;
  readonly #publisher: Publisher;
  readonly #clock: Clock;
  readonly #limits: ApiLimits;
  readonly #metrics: ApiMetrics;
  readonly #log: Log;
  #timer: Timer | undefined;
  #round: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(
    database: Database,
    publisher: Publisher,
    clock: Clock,
    limits: ApiLimits,
    metrics: ApiMetrics,
    log: Log,
  ) {
    this.#database = database;
    this.#publisher = publisher;
    this.#clock = clock;
    this.#limits = limits;
    this.#metrics = metrics;
    this.#log = log;
  }

  async start(): Promise<void> {
    await this.#database.query(CREATE);
    this.#schedule();
  }

  /** Within the transaction of the change. */
  async write(session: Session, event: Event): Promise<void> {
    await session.query(
      'INSERT INTO octet_outbox (id, exchange, routing_key, body, request_id, created_at_ms) VALUES ($1, $2, $3, $4, $5, $6)',
      [event.id, event.exchange, event.routingKey, event.body, event.requestId, String(event.createdAtMs)],
    );
  }

  /** After the commit. A queue that is away is no failure of the request: the event is told later. */
  async tell(event: Event): Promise<boolean> {
    try {
      await this.#publisher.publish(event);
      await this.#database.query('DELETE FROM octet_outbox WHERE id = $1', [event.id]);
      this.#metrics.events.add();
      return true;
    } catch (error) {
      this.#metrics.eventFailures.add();
      this.#log.warn('event not confirmed, will be told again', { event: event.id, error: messageOf(error) });
      return false;
    }
  }

  /** Tells everything that has waited for at least one retry interval. */
  async retell(): Promise<void> {
    const before = this.#clock.now() - this.#limits.outboxRetryMs;
    const { rows } = await this.#database.query(
      'SELECT id, exchange, routing_key, body, request_id, created_at_ms FROM octet_outbox WHERE created_at_ms < $1 ORDER BY created_at_ms LIMIT $2',
      [String(before), String(this.#limits.outboxBatch)],
    );
    for (const [id, exchange, routingKey, body, requestId, createdAtMs] of rows) {
      const event: Event = {
        id: id ?? '',
        exchange: exchange ?? '',
        routingKey: routingKey ?? '',
        body: body ?? '',
        requestId: requestId ?? '',
        createdAtMs: Number(createdAtMs),
      };
      // One refusal means the queue is away: the rest waits for the next round.
      if (!(await this.tell(event))) return;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#round;
  }

  #schedule(): void {
    if (this.#closed) return;
    this.#timer = this.#clock.schedule(this.#limits.outboxRetryMs, () => {
      this.#round = this.retell()
        .catch((error: unknown) => this.#log.warn('outbox not read', { error: messageOf(error) }))
        .then(() => this.#schedule());
    });
  }
}
