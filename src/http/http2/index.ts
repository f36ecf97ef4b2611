/** HTTP/2 for a server that has a handler. See connection.ts. */
export { Http2Connection } from './connection.ts';
export { chooseProtocol } from './prior-knowledge.ts';
