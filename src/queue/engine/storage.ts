/**
 * What the engine needs of a disk. Every change is visible to later reads at once, and durable when its
 * ticket settles; all changes between two `flush` calls become durable together or not at all, which makes
 * a transaction, or "leave one queue and enter another", atomic.
 */
import type { FieldTable } from '../wire/field-table.ts';
import type { Entry, Message } from './message.ts';
import type { Ticket } from './ticket.ts';

export interface ExchangeDefinition {
  readonly name: string;
  readonly type: string;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly internal: boolean;
  readonly arguments: FieldTable;
}

export interface QueueDefinition {
  /** Names the queue's records; never reused, so a deleted queue's leftovers can not come back. */
  readonly id: number;
  readonly name: string;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly arguments: FieldTable;
}

export interface BindingDefinition {
  readonly source: string;
  readonly destinationKind: 'queue' | 'exchange';
  readonly destination: string;
  readonly routingKey: string;
  readonly arguments: FieldTable;
}

export interface Definitions {
  readonly exchanges: readonly ExchangeDefinition[];
  readonly queues: readonly QueueDefinition[];
  readonly bindings: readonly BindingDefinition[];
}

export interface StoredMessage {
  readonly position: number;
  readonly message: Message;
}

/** What a queue finds of one priority level when it comes back. */
export interface LevelState {
  readonly count: number;
  /** Of bodies. */
  readonly bytes: number;
  /** Messages up to here were delivered before, and may be a second time. */
  readonly deliveredUpTo: number;
}

export interface QueueState {
  readonly nextPosition: number;
  readonly levels: readonly LevelState[];
}

/** The messages of one queue, by level and position. */
export interface QueueLog {
  /** What an earlier run left; undefined for a queue without records. */
  state(): QueueState | undefined;
  append(level: number, position: number, message: Message): Ticket;
  remove(entry: Entry): void;
  /** Removes everything of a level after `position`, which is `count` messages of `bytes` octets. */
  removeAfter(level: number, position: number, count: number, bytes: number): void;
  /** The next messages after `position`, in order: at most `messages`, and not many more than `bytes`. */
  load(level: number, position: number, messages: number, bytes: number): StoredMessage[];
  read(level: number, position: number): Message | undefined;
  /** Brings the body of a message back from its blob. */
  loadBody(message: Message): Promise<Buffer>;
  /** Remembers that messages up to `position` have been delivered. */
  delivered(level: number, position: number): void;
  /** Forgets the queue with all its messages. */
  drop(): void;
}

export interface Storage {
  recover(): Definitions;
  putExchange(definition: ExchangeDefinition): void;
  removeExchange(name: string): void;
  putQueue(definition: QueueDefinition): void;
  removeQueue(name: string): void;
  putBinding(definition: BindingDefinition): void;
  removeBinding(definition: BindingDefinition): void;
  newQueueId(): number;
  /** `durable` false: the log is only room for what does not fit into memory, and empty after a restart. */
  log(queueId: number, durable: boolean): QueueLog;
  /** Ticket of the changes made since the last `flush`, or undefined when there are none. */
  pending(): Ticket | undefined;
  /** Sends the changes on their way. */
  flush(): void;
  /** Bytes of changes that are not durable yet. */
  readonly uncommittedBytes: number;
}
