/** Every bound of the queue service: unit, default, why, and what the peers use. */

/** Octets of one name: exchange, queue, routing key, consumer tag. A short string has one length octet. */
export const NAME_MAX_BYTES = 255;

/** Tables and arrays inside each other. Nothing known nests deeper than x-death's four; RabbitMQ has no bound. */
export const TABLE_MAX_DEPTH = 32;

/** Entries of one table with everything nested in it. A frame of 128 KiB could claim some 40,000. */
export const TABLE_MAX_ENTRIES = 4096;

export interface QueueLimits {
  /** Open sockets. RabbitMQ: bounded by file descriptors. */
  readonly maxConnections: number;
  /** From accept to `connection.open-ok`. RabbitMQ: 10,000. */
  readonly handshakeTimeoutMs: number;
  /** How long we wait for `connection.close-ok`, and an ended socket for its peer. */
  readonly closeTimeoutMs: number;
  /** Body of one message; a header that announces more is refused before a byte is kept. RabbitMQ 4: 16 MiB. */
  readonly maxMessageBytes: number;
  /** Bodies that one connection has begun and not finished, over all its channels: 2,047 channels could
   * otherwise each hold a message that never ends. */
  readonly maxUnfinishedBytes: number;
  /** Deliveries of one channel that await an acknowledgement, when the client set no prefetch. RabbitMQ: none
   * (0-9-1), which is a well-known way to exhaust its memory. */
  readonly maxUnackedPerChannel: number;
  readonly maxConsumersPerChannel: number;
  /** Queues, exchanges and bindings of the virtual host. */
  readonly maxQueues: number;
  readonly maxExchanges: number;
  readonly maxBindings: number;
  /** Output a connection may have waiting before its consumers are passed over. */
  readonly outputHighWaterBytes: number;
  /** Output unread by the peer at which the connection is destroyed: several of the largest message. */
  readonly maxBufferedBytes: number;
  /** Message bytes in memory over all queues at which publishers are stopped (`connection.blocked`); they go
   * on at 4/5 of it. RabbitMQ: 40-60 % of the machine. */
  readonly memoryHighWaterBytes: number;
  /** Message bytes one queue keeps in memory ahead of its consumers; the rest is only on disk. */
  readonly windowBytes: number;
  /** The same as a count, for small messages. */
  readonly windowMessages: number;
  /** Bytes handed to the store and not yet durable at which publishers are not read from for a moment. */
  readonly maxUncommittedBytes: number;
  /** Bodies longer than this are kept as blobs, shorter ones in the records of the store. */
  readonly inlineBodyBytes: number;
  /** Deliveries of one queue in one go before others have their turn. */
  readonly deliveriesPerTurn: number;
  /** Actions (publishes, acknowledgements) of one open transaction. RabbitMQ: none. */
  readonly maxTransactionActions: number;
}

export const DEFAULT_LIMITS: QueueLimits = {
  maxConnections: 4096,
  handshakeTimeoutMs: 10_000,
  closeTimeoutMs: 5_000,
  maxMessageBytes: 16 * 1024 * 1024,
  maxUnfinishedBytes: 32 * 1024 * 1024,
  maxUnackedPerChannel: 100_000,
  maxConsumersPerChannel: 1024,
  maxQueues: 100_000,
  maxExchanges: 10_000,
  maxBindings: 200_000,
  outputHighWaterBytes: 256 * 1024,
  maxBufferedBytes: 64 * 1024 * 1024,
  memoryHighWaterBytes: 256 * 1024 * 1024,
  windowBytes: 16 * 1024 * 1024,
  windowMessages: 8192,
  maxUncommittedBytes: 32 * 1024 * 1024,
  inlineBodyBytes: 64 * 1024,
  deliveriesPerTurn: 256,
  maxTransactionActions: 100_000,
};
