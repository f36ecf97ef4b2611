/**
 * Every bound of a WebSocket: unit, default, reason, and what peers use.
 */
export interface WebSocketLimits {
  /** One message received, bytes, after inflation; more is close code 1009. ws 100 MiB, uWebSockets 16 KiB. */
  readonly messageBytes: number;
  /** Frames of one message; more is 1008. An empty fragment costs a peer six bytes and us a turn. ws 128 Ki. */
  readonly fragmentCount: number;
  /** Pings, pongs and unasked-for control frames a second, with as many at once; more is 1008. A heartbeat
   * needs one in seconds; a flood of pings makes us write as much as we read. Of ws and uWebSockets neither. */
  readonly controlFramesPerSecond: number;
  /** Frames gathered for one write, bytes; with more the write happens at once. */
  readonly gatherBytes: number;
  /** Sent and not taken by the peer, bytes; beyond it the connection is destroyed. A sender that heeds `send`
   * and `drain` stays far below. ws without bound, uWebSockets 64 KiB. */
  readonly sendBufferBytes: number;
  /** Messages that an async iteration has not taken, bytes; beyond it the connection is not read from. */
  readonly receiveQueueBytes: number;
  /** Silence of the peer before it is asked by a ping, milliseconds. Common proxies cut at 60 s. */
  readonly pingIntervalMs: number;
  /** Silence after that ping that ends the connection, milliseconds. Engine.IO 20 s. */
  readonly pongTimeoutMs: number;
  /** From our close frame to the peer's, and from there to the end of its connection, milliseconds. ws 30 s. */
  readonly closeTimeoutMs: number;
  /** A peer that takes nothing of what was written for this long is given up, milliseconds. */
  readonly writeStallTimeoutMs: number;
  /** Shorter messages are sent as they are, bytes: they hardly shrink, and compressing costs more than sending. ws 1,024. */
  readonly deflateThresholdBytes: number;
  /** Longer messages are compressed and inflated beside the event loop, bytes of input: half a millisecond's work. */
  readonly deflateInlineBytes: number;
  /** Times its size on the wire that a message may inflate to; more is 1009. DEFLATE reaches 1,032. */
  readonly inflateRatio: number;
  /** What a message may inflate to whatever its size on the wire, bytes: short and regular ones exceed any ratio. */
  readonly inflateFreeBytes: number;
}

export const DEFAULT_WEBSOCKET_LIMITS: WebSocketLimits = {
  messageBytes: 1024 * 1024,
  fragmentCount: 16_384,
  controlFramesPerSecond: 100,
  gatherBytes: 65_536,
  sendBufferBytes: 16 * 1024 * 1024,
  receiveQueueBytes: 65_536,
  pingIntervalMs: 30_000,
  pongTimeoutMs: 20_000,
  closeTimeoutMs: 5_000,
  writeStallTimeoutMs: 30_000,
  deflateThresholdBytes: 1_024,
  deflateInlineBytes: 16_384,
  inflateRatio: 100,
  inflateFreeBytes: 262_144,
};

/** WebSockets of one set; more get 503. The server's own bounds per address do not count what has switched
 * protocols. A quarter of the connections that a listener takes. */
export const DEFAULT_MAX_SOCKETS = 4_096;
