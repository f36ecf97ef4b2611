/** What a mail service can be told. */
import type { TlsIdentity } from '../core/net/network.ts';
import type { HttpLimits } from '../http/index.ts';
import type { MailLimits } from './limits.ts';

export interface MailOptions {
  readonly host: string;
  /** SMTP. 0 lets the operating system choose, here and for `httpPort`. */
  readonly port: number;
  /** The inbox: list, read, wait for and delete mail. */
  readonly httpPort: number;
  /** Our name in greetings and trace fields. */
  readonly hostname: string;
  /** Mail for these is taken, mail for all others refused. */
  readonly domains: readonly string[];
  /** `any` takes every address of the domains; a list only these. */
  readonly mailboxes: 'any' | readonly string[];
  readonly user: string;
  readonly password: string;
  /** MAIL only after AUTH. */
  readonly requireAuth: boolean;
  /** What to do with a message that has a bare CR, LF or NUL: refuse it, or keep the bytes. */
  readonly bareLineEndings: 'reject' | 'keep';
  /** Makes the certificate for STARTTLS when the first client asks; absent: STARTTLS is not offered. */
  readonly tls?: () => Promise<TlsIdentity>;
  readonly limits?: Partial<MailLimits>;
  /** Bounds of the inbox as an HTTP server; those of src/http/limits.ts where absent. */
  readonly httpLimits?: Partial<HttpLimits>;
}

export const DEFAULT_MAIL_OPTIONS: MailOptions = {
  host: '127.0.0.1',
  port: 2525,
  httpPort: 8025,
  hostname: 'mail.octet.test',
  domains: ['octet.test'],
  mailboxes: 'any',
  user: 'octet',
  password: 'octet',
  requireAuth: false,
  bareLineEndings: 'reject',
};
