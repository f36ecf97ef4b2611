/**
 * HTTP/2 without TLS: a client that knows beforehand begins with the preface. RFC 9113 section 3.3.
 *
 *   PRI * HTTP/2.0 …     HTTP/2
 *   POST, GET, …         HTTP/1.1, known by the first byte that differs
 */
import type { Connection } from '../../core/net/network.ts';
import type { Clock } from '../../core/time/clock.ts';
import { PREFACE } from './frame-reader.ts';

/** Calls one of the two with what has arrived, once it is known which, or `closed`: nothing was known in time. */
export function chooseProtocol(
  connection: Connection,
  { clock, timeoutMs }: { readonly clock: Clock; readonly timeoutMs: number },
  choices: { http1(early: Buffer): void; http2(early: Buffer): void; closed(): void },
): void {
  let early: Buffer = Buffer.alloc(0);
  const timer = clock.schedule(timeoutMs, () => connection.destroy());
  connection.attach({
    data(chunk) {
      early = early.length === 0 ? chunk : Buffer.concat([early, chunk]);
      const known = Math.min(early.length, PREFACE.length);
      const isHttp2 = early.toString('latin1', 0, known) === PREFACE.slice(0, known);
      if (isHttp2 && known < PREFACE.length) return;
      timer.cancel();
      if (isHttp2) choices.http2(early);
      else choices.http1(early);
    },
    close() {
      timer.cancel();
      choices.closed();
    },
  });
}
