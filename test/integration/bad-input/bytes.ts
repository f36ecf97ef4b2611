/** What attackers and honest clients put on the wire, byte for byte. */

/** The same bytes each time, of every value, without meaning in any protocol (xorshift32). */
export function noise(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  let state = 0x9e3779b9;
  for (let at = 0; at < size; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[at] = state & 0xff;
  }
  return bytes;
}

/** A DNS question over UDP, or for `framed`. RFC 1035 section 4.1. */
export function dnsQuestion(name: string, { type = 1, id = 0x1234 } = {}): Buffer {
  const header = Buffer.from([id >> 8, id & 0xff, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0]);
  const labels = name.split('.').map((label) => Buffer.from([label.length, ...Buffer.from(label)]));
  return Buffer.concat([header, ...labels, Buffer.from([0, 0, type, 0, 1])]);
}

/** The two octets of length that TCP puts in front. RFC 1035 section 4.2.2. */
export function framed(message: Buffer): Buffer {
  return Buffer.concat([Buffer.from([message.length >> 8, message.length & 0xff]), message]);
}

/** StartupMessage of protocol 3.0. PostgreSQL manual, section 55.7. */
export function postgresStartup(user = 'octet', database = 'octet'): Buffer {
  const body = Buffer.from(`\0\x03\0\0user\0${user}\0database\0${database}\0\0`, 'latin1');
  return Buffer.concat([uint32(body.length + 4), body]);
}

/** A message with its type octet. */
export function postgresMessage(type: string, body: string | Buffer): Buffer {
  const bytes = typeof body === 'string' ? Buffer.from(body, 'latin1') : body;
  return Buffer.concat([Buffer.from(type), uint32(bytes.length + 4), bytes]);
}

/** ReadyForQuery, outside of a transaction. */
export const POSTGRES_READY = 'Z\0\0\0\x05I';

export function respCommand(...words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;
}

export const AMQP_HEADER = 'AMQP\0\0\x09\x01';

/** AMQP 0-9-1 section 4.2.3. */
export function amqpFrame(type: number, channel: number, payload: Buffer, end = 0xce): Buffer {
  const head = Buffer.from([type, channel >> 8, channel & 0xff]);
  return Buffer.concat([head, uint32(payload.length), payload, Buffer.of(end)]);
}

export function amqpMethod(channel: number, classId: number, methodId: number, values: Buffer): Buffer {
  const ids = Buffer.from([0, classId, 0, methodId]);
  return amqpFrame(1, channel, Buffer.concat([ids, values]));
}

export function shortString(text: string): Buffer {
  return Buffer.concat([Buffer.of(text.length), Buffer.from(text)]);
}

export function longString(text: string): Buffer {
  return Buffer.concat([uint32(text.length), Buffer.from(text, 'latin1')]);
}

/** connection.start-ok with PLAIN; the client says that it understands a close after a refused login. */
export function amqpStartOk(user: string, password: string): Buffer {
  const capability = Buffer.concat([
    shortString('authentication_failure_close'),
    Buffer.from('t\x01', 'latin1'),
  ]);
  const capabilities = Buffer.concat([
    shortString('capabilities'),
    Buffer.from('F'),
    uint32(capability.length),
    capability,
  ]);
  const properties = Buffer.concat([uint32(capabilities.length), capabilities]);
  const login = longString(`\0${user}\0${password}`);
  const values = Buffer.concat([properties, shortString('PLAIN'), login, shortString('en_US')]);
  return amqpMethod(0, 10, 11, values);
}

/** connection.tune-ok without heartbeats, connection.open of `/`. */
export const AMQP_OPEN = Buffer.concat([
  amqpMethod(0, 10, 31, Buffer.from([0x07, 0xff, 0, 2, 0, 0, 0, 0])),
  amqpMethod(0, 10, 40, Buffer.concat([shortString('/'), Buffer.from([0, 0])])),
]);

/** The ids of a method, as they stand at the head of its frame's payload. */
export function amqpIds(classId: number, methodId: number): Buffer {
  return Buffer.from([0, classId, 0, methodId]);
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function httpRequest(path: string, fields = ''): string {
  return `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${fields}\r\n`;
}

/** The first record of TLS 1.3, cut after the cipher suites. */
export const TLS_CLIENT_HELLO = Buffer.concat([
  Buffer.from([0x16, 0x03, 0x01, 0x00, 0x2f, 0x01, 0x00, 0x00, 0x2b, 0x03, 0x03]),
  Buffer.alloc(32, 0x5a),
  Buffer.from([0x00, 0x00, 0x02, 0x13, 0x01, 0x01, 0x00, 0x00, 0x00]),
]);
