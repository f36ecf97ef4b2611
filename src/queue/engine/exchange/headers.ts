import { AmqpError } from '../../errors.ts';
import { equalFields, type FieldTable, textOf } from '../../wire/field-table.ts';
import type { Binding } from '../binding.ts';
import type { Routable, Router } from './router.ts';

const MODES = ['all', 'any', 'all-with-x', 'any-with-x'] as const;
type Mode = (typeof MODES)[number];

/**
 * Type `headers`: the binding's arguments are compared with the message's headers; `x-match` says whether
 * all or any must agree. A void argument asks only that the header is there. Names that begin with `x-` are
 * left out except in the modes `…-with-x`. AMQP 0-9-1 section 3.1.3.4 and RabbitMQ's additions.
 */
export class HeadersRouter<B extends Binding> implements Router<B> {
  readonly #bindings = new Set<B>();

  add(binding: B): void {
    this.#bindings.add(binding);
  }

  remove(binding: B): void {
    this.#bindings.delete(binding);
  }

  route(message: Routable, found: (binding: B) => void): void {
    for (const binding of this.#bindings) {
      if (matchesHeaders(binding.arguments, message.headers)) found(binding);
    }
  }
}

function matchesHeaders(wanted: FieldTable, headers: FieldTable): boolean {
  const mode = modeOf(wanted);
  const withX = mode.endsWith('-with-x');
  const any = mode.startsWith('any');
  for (const [name, value] of wanted) {
    if (name === 'x-match' || (!withX && name.startsWith('x-'))) continue;
    const header = headers.get(name);
    const agrees = header !== undefined && (value.type === 'V' || equalFields(value, header));
    if (agrees === any) return any;
  }
  return !any;
}

function modeOf(wanted: FieldTable): Mode {
  const given = wanted.get('x-match');
  if (given === undefined) return 'all';
  const mode = MODES.find((one) => one === textOf(given));
  if (mode === undefined)
    throw new AmqpError('precondition-failed', `invalid x-match: use ${MODES.join(', ')}`);
  return mode;
}

/** @throws AmqpError `precondition-failed` when a binding's `x-match` is not one of the four */
export function checkHeadersBinding(wanted: FieldTable): void {
  modeOf(wanted);
}
