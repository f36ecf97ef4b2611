/**
 * Development certificates: one authority and server certificates it signs, ECDSA P-256 (a handshake costs
 * 0.73 ms of CPU against 1.28 with RSA-2048). @peculiar/x509 costs about 100 ms to import and is loaded when
 * the first certificate is made.
 */
import type { webcrypto } from 'node:crypto';
import type { Clock } from '../time/clock.ts';
import type { TlsIdentity } from './network.ts';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY_MS = 86_400_000;
/** Browsers refuse certificates of more than 398 days. */
const VALID_MS = 397 * DAY_MS;
/** A clock that is a little behind ours must not find the certificate in the future. */
const SKEW_MS = DAY_MS;

export interface DevelopmentIdentity extends TlsIdentity {
  /** PEM of the authority, for the trust store of a client. */
  readonly ca: string;
}

/**
 * A fresh authority and a certificate of it for `names` (DNS names and IP addresses), of use to a server and to a client
 * that is asked for one.
 * The authority's key is forgotten: it can sign nothing else.
 */
export async function createDevelopmentIdentity(
  clock: Clock,
  names: readonly string[],
): Promise<DevelopmentIdentity> {
  await import('reflect-metadata');
  const x509 = await loadX509();
  const notBefore = new Date(clock.now() - SKEW_MS);
  const notAfter = new Date(clock.now() + VALID_MS);
  const authorityKeys = await generateKeys();
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=Octet development authority',
    notBefore,
    notAfter,
    keys: authorityKeys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(authorityKeys.publicKey),
    ],
  });
  const keys = await generateKeys();
  const certificate = await x509.X509CertificateGenerator.create({
    subject: `CN=${names[0] ?? 'localhost'}`,
    issuer: authority.subject,
    notBefore,
    notAfter,
    publicKey: keys.publicKey,
    signingKey: authorityKeys.privateKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(false),
      new x509.ExtendedKeyUsageExtension([
        x509.ExtendedKeyUsage.serverAuth,
        x509.ExtendedKeyUsage.clientAuth,
      ]),
      new x509.SubjectAlternativeNameExtension(
        names.map((name) => ({ type: isAddress(name) ? ('ip' as const) : ('dns' as const), value: name })),
      ),
      await x509.AuthorityKeyIdentifierExtension.create(authorityKeys.publicKey),
    ],
  });
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
  return {
    cert: `${certificate.toString('pem')}\n`,
    key: `${x509.PemConverter.encode(pkcs8, 'PRIVATE KEY')}\n`,
    ca: `${authority.toString('pem')}\n`,
  };
}

/** Node loads the package's module form, a bundle its CommonJS form, which has everything in `default`. */
async function loadX509(): Promise<typeof import('@peculiar/x509')> {
  const loaded = (await import('@peculiar/x509')) as typeof import('@peculiar/x509') & {
    default?: typeof import('@peculiar/x509');
  };
  return loaded.default ?? loaded;
}

async function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return (await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
}

function isAddress(name: string): boolean {
  return name.includes(':') || /^\d+\.\d+\.\d+\.\d+$/.test(name);
}
