/** A handler's outcome with its fields changed, whether it answered or threw a refusal. */
import { HttpError } from './errors.ts';
import type { Handler, HeaderList, HttpRequest, HttpResponse } from './types.ts';

/**
 * Calls the handler and gives its fields through `change`; stays synchronous when the handler is. A refusal it throws
 * is changed too, and thrown on: the server turns it into a problem. Faults of ours pass as they are.
 */
export function decorated(
  handler: Handler,
  request: HttpRequest,
  change: (headers: HeaderList) => HeaderList,
): HttpResponse | Promise<HttpResponse> {
  const decorate = (response: HttpResponse): HttpResponse => ({
    ...response,
    headers: change(response.headers ?? []),
  });
  const rethrow = (thrown: unknown): never => {
    throw thrown instanceof HttpError ? refusalWith(thrown, change) : thrown;
  };
  let result: HttpResponse | Promise<HttpResponse>;
  try {
    result = handler(request);
  } catch (thrown) {
    return rethrow(thrown);
  }
  return result instanceof Promise ? result.then(decorate, rethrow) : decorate(result);
}

function refusalWith(thrown: HttpError, change: (headers: HeaderList) => HeaderList): HttpError {
  const { status, message, headers, fault, retryable } = thrown;
  return new HttpError(status, message, { headers: change(headers), fault, retryable, cause: thrown });
}
