/**
 * The server's side of TLS: which certificate for which name, and who is asked for theirs.
 *
 * Names are matched as in RFC 9525 section 6.3: in any case, and `*` stands for one whole label, the first.
 */
import tls from 'node:tls';
import { messageOf } from '../errors.ts';
import { NetError } from './errors.ts';
import type { PeerIdentity, TlsIdentity, TlsServerOptions } from './network.ts';

type SocketOptions = tls.TLSSocketOptions;

const prepared = new WeakMap<TlsServerOptions, SocketOptions>();

/**
 * What node:tls needs for one accepted socket. Parsing keys costs milliseconds, so it is done once for each object.
 * @throws NetError `bad-identity`
 */
export function acceptOptions(options: TlsServerOptions): SocketOptions {
  let made = prepared.get(options);
  if (made === undefined) {
    made = prepare(options);
    prepared.set(options, made);
  }
  return made;
}

function prepare(options: TlsServerOptions): SocketOptions {
  const { names = {}, clients } = options;
  const byName = new Map(
    Object.entries(names).map(([name, identity]) => [name.toLowerCase(), contextOf(identity, clients?.ca)]),
  );
  const common: SocketOptions = {
    isServer: true,
    secureContext: contextOf(options, clients?.ca),
    requestCert: clients !== undefined,
    rejectUnauthorized: clients?.required ?? false,
  };
  if (byName.size === 0) return common;
  return { ...common, SNICallback: (name, answer) => answer(null, choose(byName, name.toLowerCase())) };
}

/** Undefined leaves it at the certificate for everyone else. */
function choose(byName: ReadonlyMap<string, tls.SecureContext>, name: string): tls.SecureContext | undefined {
  const dot = name.indexOf('.');
  return byName.get(name) ?? (dot > 0 ? byName.get(`*${name.slice(dot)}`) : undefined);
}

function contextOf({ cert, key }: TlsIdentity, ca: string | undefined): tls.SecureContext {
  // node:tls would take an empty text for none, and fail with each client.
  if (cert === '' || key === '') throw new NetError('bad-identity', 'the certificate or its key is empty');
  try {
    return tls.createSecureContext({
      cert,
      key,
      minVersion: 'TLSv1.2',
      // Who was asked for a certificate may resume only where the same was asked; OpenSSL insists on a name for it.
      ...(ca === undefined ? {} : { ca, sessionIdContext: 'octet' }),
    });
  } catch (cause) {
    throw new NetError('bad-identity', `the certificate or its key is not usable: ${messageOf(cause)}`, {
      cause,
    });
  }
}

/**
 * Why the client's certificate is not accepted, or undefined. OpenSSL leaves it to us: with `requestCert` the
 * handshake succeeds whatever certificate was shown.
 */
export function clientRefusal(socket: tls.TLSSocket, options: TlsServerOptions): Error | undefined {
  if (options.clients === undefined || socket.getPeerX509Certificate() === undefined) return undefined;
  const { _handle: handle } = socket as unknown as { _handle: { verifyError(): Error | null | undefined } };
  return handle.verifyError() ?? undefined;
}

export function peerIdentityOf(socket: tls.TLSSocket): PeerIdentity | undefined {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return undefined;
  const { subject, subjectAltName, fingerprint256 } = certificate;
  return { subject, alternativeNames: subjectAltName, fingerprint: fingerprint256 };
}
