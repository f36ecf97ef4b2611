/**
 * SCRAM-SHA-256 (RFC 5802, RFC 7677) without channel binding: both sides as pure conversations. Hashing and
 * the slow derivation of keys are given by the caller.
 *
 *   client-first   n,,n=user,r=<client nonce>
 *   server-first   r=<client nonce><server nonce>,s=<salt>,i=<iterations>
 *   client-final   c=biws,r=<both nonces>,p=<proof>
 *   server-final   v=<signature>
 *
 *   SaltedPassword = PBKDF2(password, salt, i)         StoredKey = H(ClientKey)
 *   ClientKey = HMAC(SaltedPassword, "Client Key")     ServerKey = HMAC(SaltedPassword, "Server Key")
 *   proof = ClientKey XOR HMAC(StoredKey, AuthMessage)
 */

export const MECHANISM = 'SCRAM-SHA-256';
/** RFC 7677 section 4 asks for at least 4,096. */
export const ITERATIONS = 4_096;
/** A client refuses more, lest a server make it work for minutes. */
export const MAX_ITERATIONS = 1_000_000;

export interface Verifier {
  readonly salt: Buffer;
  readonly iterations: number;
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

export interface Hashing {
  sha256(data: Uint8Array): Buffer;
  hmac(key: Uint8Array, data: Uint8Array | string): Buffer;
  /** Compares in a time that does not depend on the contents. */
  equal(a: Uint8Array, b: Uint8Array): boolean;
}

export type ServerStep = { readonly kind: 'continue'; readonly message: string } | { readonly kind: 'final'; readonly message: string } | { readonly kind: 'failed'; readonly reason: 'malformed' | 'channel-binding' | 'proof' };

export function verifierOf(salted: Buffer, salt: Buffer, iterations: number, hashing: Hashing): Verifier {
  const clientKey = hashing.hmac(salted, 'Client Key');
  return { salt, iterations, storedKey: hashing.sha256(clientKey), serverKey: hashing.hmac(salted, 'Server Key') };
}

function attribute(text: string, name: string): string | undefined {
  return text.startsWith(`${name}=`) ? text.slice(2) : undefined;
}

function decodeBase64(text: string | undefined): Buffer | undefined {
  return text !== undefined && /^[A-Za-z0-9+/]+={0,2}$/.test(text) && text.length % 4 === 0 ? Buffer.from(text, 'base64') : undefined;
}

function xor(a: Buffer, b: Buffer): Buffer {
  return Buffer.from(a.map((byte, i) => byte ^ b[i]!));
}

/** The server's side of one authentication. */
export class ScramServer {
  readonly #verifier: Verifier;
  readonly #hashing: Hashing;
  /** False for a user who does not exist: everything is done as for others, and fails at the end. */
  readonly #mayPass: boolean;
  readonly #serverNonce: string;
  #clientFirstBare = '';
  #serverFirst = '';
  #nonce = '';
  #header = '';

  constructor(verifier: Verifier, serverNonce: string, mayPass: boolean, hashing: Hashing) {
    this.#verifier = verifier;
    this.#serverNonce = serverNonce;
    this.#mayPass = mayPass;
    this.#hashing = hashing;
  }

  /** client-first → server-first. The user's name in it is ignored, as in PostgreSQL: startup has named the user. */
  first(message: string): ServerStep {
    const match = /^(n|y|p=[^,]*),(a=[^,]*)?,(.*)$/s.exec(message);
    if (match === null) return { kind: 'failed', reason: 'malformed' };
    if (match[1]!.startsWith('p')) return { kind: 'failed', reason: 'channel-binding' };
    const [name, nonce, ...extensions] = match[3]!.split(',');
    const clientNonce = attribute(nonce ?? '', 'r');
    const valid = attribute(name ?? '', 'n') !== undefined && /^[\x21-\x2b\x2d-\x7e]+$/.test(clientNonce ?? '');
    if (!valid || extensions.some((extension) => extension.startsWith('m='))) return { kind: 'failed', reason: 'malformed' };
    this.#header = `${match[1]},${match[2] ?? ''},`;
    this.#clientFirstBare = match[3]!;
    this.#nonce = clientNonce! + this.#serverNonce;
    const { salt, iterations } = this.#verifier;
    this.#serverFirst = `r=${this.#nonce},s=${salt.toString('base64')},i=${iterations}`;
    return { kind: 'continue', message: this.#serverFirst };
  }

  /** client-final → server-final. */
  final(message: string): ServerStep {
    const at = message.lastIndexOf(',p=');
    if (at < 0) return { kind: 'failed', reason: 'malformed' };
    const withoutProof = message.slice(0, at);
    const proof = decodeBase64(message.slice(at + 3));
    const [binding, nonce] = withoutProof.split(',');
    if (attribute(binding ?? '', 'c') !== Buffer.from(this.#header).toString('base64')) return { kind: 'failed', reason: 'channel-binding' };
    if (attribute(nonce ?? '', 'r') !== this.#nonce || proof?.length !== 32) return { kind: 'failed', reason: 'malformed' };
    const authMessage = `${this.#clientFirstBare},${this.#serverFirst},${withoutProof}`;
    const signature = this.#hashing.hmac(this.#verifier.storedKey, authMessage);
    const storedKey = this.#hashing.sha256(xor(proof, signature));
    const matches = this.#hashing.equal(storedKey, this.#verifier.storedKey);
    if (!matches || !this.#mayPass) return { kind: 'failed', reason: 'proof' };
    return { kind: 'final', message: `v=${this.#hashing.hmac(this.#verifier.serverKey, authMessage).toString('base64')}` };
  }
}

export interface ServerFirst {
  readonly nonce: string;
  readonly salt: Buffer;
  readonly iterations: number;
}

/** The client's side of one authentication. */
export class ScramClient {
  readonly #nonce: string;
  readonly #hashing: Hashing;
  #serverFirst = '';
  #authMessage = '';
  #serverKey: Buffer = Buffer.alloc(0);

  constructor(nonce: string, hashing: Hashing) {
    this.#nonce = nonce;
    this.#hashing = hashing;
  }

  get first(): string {
    return `n,,n=,r=${this.#nonce}`;
  }

  /** @returns undefined when the server's message is not to be trusted */
  readServerFirst(message: string): ServerFirst | undefined {
    const [r, s, i] = message.split(',');
    const nonce = attribute(r ?? '', 'r') ?? '';
    const salt = decodeBase64(attribute(s ?? '', 's'));
    const iterations = Number(attribute(i ?? '', 'i'));
    const valid = nonce.startsWith(this.#nonce) && nonce.length > this.#nonce.length && salt !== undefined && Number.isInteger(iterations) && iterations >= 1 && iterations <= MAX_ITERATIONS;
    this.#serverFirst = message;
    return valid ? { nonce, salt, iterations } : undefined;
  }

  /** @param salted PBKDF2 of the password, as `readServerFirst` asked for */
  final(salted: Buffer, nonce: string): string {
    const withoutProof = `c=biws,r=${nonce}`;
    this.#authMessage = `n=,r=${this.#nonce},${this.#serverFirst},${withoutProof}`;
    const clientKey = this.#hashing.hmac(salted, 'Client Key');
    const signature = this.#hashing.hmac(this.#hashing.sha256(clientKey), this.#authMessage);
    this.#serverKey = this.#hashing.hmac(salted, 'Server Key');
    return `${withoutProof},p=${xor(clientKey, signature).toString('base64')}`;
  }

  /** True when the server knows the password too. */
  isServer(message: string): boolean {
    const signature = decodeBase64(attribute(message, 'v'));
    const expected = this.#hashing.hmac(this.#serverKey, this.#authMessage);
    return signature?.length === expected.length && this.#hashing.equal(signature, expected);
  }
}
