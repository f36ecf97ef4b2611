/** WebSockets over the HTTP library: RFC 6455 and permessage-deflate (RFC 7692). See README.md. */
export { type AcceptOptions, acceptWebSocket } from './accept.ts';
export { type ConnectOptions, connectWebSocket } from './connect.ts';
export type { WebSocketClosed, WebSocketConnection, WebSocketHandler, WebSocketPart } from './connection.ts';
export { WebSocketError, type WebSocketErrorCode } from './errors.ts';
export type { DeflateWish } from './handshake.ts';
export { DEFAULT_WEBSOCKET_LIMITS, type WebSocketLimits } from './limits.ts';
export { WebSocketSet } from './set.ts';
