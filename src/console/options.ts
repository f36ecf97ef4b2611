/** What the console can be told. */
import type { HttpLimits } from '../http/index.ts';

export interface ConsoleOptions {
  readonly host: string;
  /** 0 lets the operating system choose. */
  readonly port: number;
  /** Folder of the page's files. */
  readonly assets: string;
  /** Name → admin address (`http://host:port`) of each process to show. */
  readonly sources: Readonly<Record<string, string>>;
  /** Goes to the admin addresses; and is the password of the page where it is reachable beyond loopback. '' for none. */
  readonly token: string;
  /** Bounds of the HTTP server; those of src/http/limits.ts where absent. */
  readonly httpLimits?: Partial<HttpLimits>;
}
