/**
 * SCRAM-SHA-256 (RFC 5802, RFC 7677) without channel binding, both sides. Pure: hashes are passed in.
 *
 *   client  ──  n,,n=,r=<client nonce>                                ──▶
 *           ◀── r=<client nonce><server nonce>,s=<salt>,i=<iterations> ──
 *           ──  c=biws,r=<both nonces>,p=<proof>                      ──▶
 *           ◀── v=<server signature>                                  ──
 *
 *   SaltedPassword  = PBKDF2(password, salt, i)
 *   ClientKey       = HMAC(SaltedPassword, "Client Key")     StoredKey = SHA256(ClientKey)
 *   ServerKey       = HMAC(SaltedPassword, "Server Key")
 *   AuthMessage     = client-first-bare , server-first , client-final-without-proof
 *   proof           = ClientKey XOR HMAC(StoredKey, AuthMessage)
 */

export interface ScramHashing {
  sha256(data: Uint8Array): Buffer;
  hmac(key: Uint8Array, data: Uint8Array | string): Buffer;
  /** PBKDF2 with HMAC-SHA-256, 32 bytes; away from the event loop, for it is made to be slow. */
  pbkdf2(password: string, salt: Uint8Array, iterations: number): Promise<Buffer>;
  /** Same bytes? In a time that does not depend on where they differ. */
  equal(left: Uint8Array, right: Uint8Array): boolean;
}

/** All that a server keeps of a password. */
export interface ScramVerifier {
  readonly salt: Buffer;
  readonly iterations: number;
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

export const MECHANISM = 'SCRAM-SHA-256';
/** RFC 7677 section 4: at least 4,096; also PostgreSQL's value. */
export const ITERATIONS = 4_096;
/** A server that asks for more is attacking our CPU. */
const MAX_ITERATIONS = 1_000_000;
/** base64 of the GS2 header `n,,`. */
const NO_CHANNEL_BINDING = 'biws';

export async function makeVerifier(
  hashing: ScramHashing,
  password: string,
  salt: Buffer,
): Promise<ScramVerifier> {
  const salted = await hashing.pbkdf2(prepare(password), salt, ITERATIONS);
  const clientKey = hashing.hmac(salted, 'Client Key');
  return {
    salt,
    iterations: ITERATIONS,
    storedKey: hashing.sha256(clientKey),
    serverKey: hashing.hmac(salted, 'Server Key'),
  };
}

/** SASLprep is Unicode's NFKC with exceptions; PostgreSQL takes a password that fails it as it is. */
function prepare(password: string): string {
  return password.normalize('NFKC');
}

export type ScramFirst =
  | { readonly ok: true; readonly reply: string }
  | { readonly ok: false; readonly reason: string };
export type ScramFinal =
  | { readonly outcome: 'accepted'; readonly reply: string }
  | { readonly outcome: 'refused' }
  | { readonly outcome: 'malformed'; readonly reason: string };

/** The server's side of one login. */
export class ScramServer {
  readonly #hashing: ScramHashing;
  readonly #verifier: ScramVerifier;
  /** False for a user who does not exist: the exchange goes on as ever and is refused at its end. */
  readonly #known: boolean;
  readonly #serverNonce: string;
  #clientFirstBare = '';
  #serverFirst = '';
  #nonce = '';

  /** @param serverNonce printable ASCII without a comma, fresh for each login */
  constructor(hashing: ScramHashing, verifier: ScramVerifier, known: boolean, serverNonce: string) {
    this.#hashing = hashing;
    this.#verifier = verifier;
    this.#known = known;
    this.#serverNonce = serverNonce;
  }

  first(message: string): ScramFirst {
    const [flag = '', authorization = '', ...bare] = message.split(',');
    if (flag.startsWith('p=')) return { ok: false, reason: 'channel binding was not offered' };
    // "y": the client could bind and believes that we cannot, which is true.
    if (flag !== 'n' && flag !== 'y') return { ok: false, reason: 'malformed SCRAM message' };
    if (authorization !== '')
      return { ok: false, reason: 'client uses authorization identity, but it is not supported' };
    const attributes = parseAttributes(bare);
    const clientNonce = attributes?.get('r');
    if (attributes === undefined || attributes.has('m'))
      return { ok: false, reason: 'client requires an unsupported SCRAM extension' };
    if (clientNonce === undefined || clientNonce === '')
      return { ok: false, reason: 'malformed SCRAM message' };
    this.#clientFirstBare = bare.join(',');
    this.#nonce = clientNonce + this.#serverNonce;
    const { salt, iterations } = this.#verifier;
    this.#serverFirst = `r=${this.#nonce},s=${salt.toString('base64')},i=${iterations}`;
    return { ok: true, reply: this.#serverFirst };
  }

  final(message: string): ScramFinal {
    const proofAt = message.lastIndexOf(',p=');
    const attributes = parseAttributes(message.split(','));
    if (proofAt < 0 || attributes === undefined)
      return { outcome: 'malformed', reason: 'malformed SCRAM message' };
    const binding = attributes.get('c');
    if (binding !== NO_CHANNEL_BINDING && binding !== Buffer.from('y,,').toString('base64')) {
      return {
        outcome: 'malformed',
        reason: 'unexpected SCRAM channel-binding attribute in client-final-message',
      };
    }
    if (attributes.get('r') !== this.#nonce) return { outcome: 'malformed', reason: 'nonce does not match' };
    const proof = Buffer.from(message.slice(proofAt + 3), 'base64');
    const { hmac, sha256, equal } = this.#hashing;
    const authMessage = `${this.#clientFirstBare},${this.#serverFirst},${message.slice(0, proofAt)}`;
    const signature = hmac(this.#verifier.storedKey, authMessage);
    if (proof.length !== signature.length) return { outcome: 'malformed', reason: 'malformed SCRAM message' };
    const matches = equal(sha256(xor(proof, signature)), this.#verifier.storedKey);
    if (!matches || !this.#known) return { outcome: 'refused' };
    return {
      outcome: 'accepted',
      reply: `v=${hmac(this.#verifier.serverKey, authMessage).toString('base64')}`,
    };
  }
}

/** The client's side of one login. A server that does not know the password is found out in `verify`. */
export class ScramClient {
  readonly #hashing: ScramHashing;
  readonly #password: string;
  readonly #nonce: string;
  #serverSignature: Buffer | undefined;

  constructor(hashing: ScramHashing, password: string, nonce: string) {
    this.#hashing = hashing;
    this.#password = password;
    this.#nonce = nonce;
  }

  /** PostgreSQL takes the user's name from the startup packet, so it is empty here. */
  first(): string {
    return `n,,n=,r=${this.#nonce}`;
  }

  /** @returns the final message, or undefined when the server's is malformed or not an answer to ours */
  async final(serverFirst: string): Promise<string | undefined> {
    const attributes = parseAttributes(serverFirst.split(','));
    const nonce = attributes?.get('r') ?? '';
    const salt = attributes?.get('s');
    const iterations = Number(attributes?.get('i'));
    if (!nonce.startsWith(this.#nonce) || nonce === this.#nonce || salt === undefined) return undefined;
    if (!Number.isInteger(iterations) || iterations < 1 || iterations > MAX_ITERATIONS) return undefined;
    const { hmac, sha256, pbkdf2 } = this.#hashing;
    const salted = await pbkdf2(prepare(this.#password), Buffer.from(salt, 'base64'), iterations);
    const withoutProof = `c=${NO_CHANNEL_BINDING},r=${nonce}`;
    const authMessage = `n=,r=${this.#nonce},${serverFirst},${withoutProof}`;
    const clientKey = hmac(salted, 'Client Key');
    const proof = xor(clientKey, hmac(sha256(clientKey), authMessage));
    this.#serverSignature = hmac(hmac(salted, 'Server Key'), authMessage);
    return `${withoutProof},p=${proof.toString('base64')}`;
  }

  /** @returns false when the server has not proven that it knows the password */
  verify(serverFinal: string): boolean {
    if (this.#serverSignature === undefined || !serverFinal.startsWith('v=')) return false;
    return this.#hashing.equal(Buffer.from(serverFinal.slice(2), 'base64'), this.#serverSignature);
  }
}

/** `a=value` pairs; undefined when one is none. */
function parseAttributes(parts: readonly string[]): Map<string, string> | undefined {
  const attributes = new Map<string, string>();
  for (const part of parts) {
    if (part[1] !== '=') return undefined;
    attributes.set(part[0] as string, part.slice(2));
  }
  return attributes;
}

function xor(left: Buffer, right: Buffer): Buffer {
  const out = Buffer.allocUnsafe(left.length);
  for (let index = 0; index < left.length; index++)
    out[index] = (left[index] as number) ^ (right[index] as number);
  return out;
}
