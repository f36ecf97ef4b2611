/** What SMTP connections and the inbox are given by the server that holds them. */
import type { Host } from '../core/lifecycle.ts';
import type { TlsIdentity } from '../core/net/network.ts';
import type { Directory } from './engine/directory.ts';
import type { MailLimits } from './limits.ts';
import type { MailMetrics } from './metrics.ts';
import type { MailOptions } from './options.ts';
import type { MailStore } from './store.ts';

export interface MailContext {
  readonly host: Host;
  readonly options: MailOptions;
  readonly limits: MailLimits;
  readonly directory: Directory;
  readonly store: MailStore;
  readonly metrics: MailMetrics;
  readonly decodeWords: (value: string) => string;
  readonly identity: (() => Promise<TlsIdentity>) | undefined;
  checkPassword(username: string, password: string): boolean;
}
