/** Bounds of connections where the caller names none: the same on the machine's network and on a simulated one. */

/** How long a listener that closes lets its connections finish. */
export const DEFAULT_DRAIN_TIMEOUT_MS = 5_000;

/** What a client's connection may hold unread by its peer. */
export const DEFAULT_MAX_BUFFERED_BYTES = 16 * 1024 * 1024;

/** How long a client's connection that was ended waits for its peer to close. */
export const CLIENT_CLOSE_TIMEOUT_MS = 2_000;

/** A client that has not finished its TLS handshake by then is let go. nginx 60 s, HAProxy and h2o 10 s: it is two round
 * trips, and each one under way holds a place among `maxConnections`. */
export const TLS_ACCEPT_TIMEOUT_MS = 5_000;

/** As much as node:net asks the operating system for in the ordinary way. */
export const READ_BYTES = 65_536;
