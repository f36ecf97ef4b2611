/** Our session as the server's end, which answers each request at once. */
import { DEFAULT_HTTP_LIMITS } from '../../src/http/limits.ts';
import { HttpSession } from '../../src/http/session.ts';
import type { RequestHead } from '../../src/http/wire/request-head.ts';
import type { Message, Outcome } from './outcome.ts';

export function parseByUs(bytes: Buffer): Outcome & { readonly code: string | undefined } {
  const session = new HttpSession('server', DEFAULT_HTTP_LIMITS, 0);
  const messages: Message[] = [];
  let head: RequestHead | undefined;
  let content = '';
  let behindEmptyLine = false;
  session.receive(bytes, 0);
  for (;;) {
    const at = bytes.length - session.pendingBytes;
    if (session.requestState === 'idle') behindEmptyLine = bytes[at] === 0x0d;
    const event = session.next(0);
    switch (event.kind) {
      case 'request':
        head = event;
        content = '';
        break;
      case 'data':
        content += event.bytes.toString('latin1');
        break;
      case 'end':
        messages.push({ ...messageOf(head!, content), behindEmptyLine });
        session.sendResponse({ status: 204, headers: [], size: undefined });
        session.sendEnd(0);
        session.takeOutput();
        break;
      case 'malformed':
        return { messages, refused: true, code: event.code };
      default:
        return { messages, refused: false, code: undefined };
    }
  }
}

function messageOf({ method, target, fields }: RequestHead, content: string): Message {
  return { method, target, fields: [...fields].map(([name, value]) => [name.toLowerCase(), value]), content };
}
