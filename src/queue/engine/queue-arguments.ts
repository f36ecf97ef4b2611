/**
 * The optional arguments of `queue.declare`. What this broker does not do is refused by name: an argument
 * that is taken and not honoured loses somebody's messages.
 */
import { AmqpError } from '../errors.ts';
import { type FieldTable, type FieldValue, integerOf, textOf } from '../wire/field-table.ts';

export type Overflow = 'drop-head' | 'reject-publish' | 'reject-publish-dlx';

export interface QueueSettings {
  readonly messageTtlMs: number | undefined;
  readonly expiresMs: number | undefined;
  readonly maxLength: number | undefined;
  readonly maxLengthBytes: number | undefined;
  readonly overflow: Overflow;
  readonly deadLetterExchange: string | undefined;
  readonly deadLetterRoutingKey: string | undefined;
  /** 0 for a queue without priorities. */
  readonly maxPriority: number;
  readonly singleActiveConsumer: boolean;
}

type Check = (field: FieldValue) => string | undefined;

const OVERFLOWS: readonly Overflow[] = ['drop-head', 'reject-publish', 'reject-publish-dlx'];
/** The largest delay that RabbitMQ takes: 2^32 - 1 ms, 49.7 days. Ours are compared, not scheduled. */
const MAX_DELAY_MS = 0xffff_ffff;

const CHECKS: Readonly<Record<string, Check>> = {
  'x-message-ttl': (field) => wholeNumber(field, 0, MAX_DELAY_MS),
  'x-expires': (field) => wholeNumber(field, 1, MAX_DELAY_MS),
  'x-max-length': (field) => wholeNumber(field, 0, Number.MAX_SAFE_INTEGER),
  'x-max-length-bytes': (field) => wholeNumber(field, 0, Number.MAX_SAFE_INTEGER),
  'x-overflow': (field) => oneOf(field, OVERFLOWS),
  'x-dead-letter-exchange': text,
  'x-dead-letter-routing-key': text,
  'x-max-priority': (field) => wholeNumber(field, 0, 255),
  'x-single-active-consumer': (field) => (field.type === 't' ? undefined : 'a boolean expected'),
  'x-queue-type': (field) => oneOf(field, ['classic']),
  'x-queue-mode': (field) => oneOf(field, ['default', 'lazy']),
  'x-queue-version': (field) => wholeNumber(field, 1, 2),
};

/**
 * @throws AmqpError `precondition-failed` for a value out of its range, `not-implemented` (ending only the
 *   channel) for an argument that this broker does not have
 */
export function queueSettings(queue: string, given: FieldTable): QueueSettings {
  for (const [name, field] of given) checkArgument(queue, name, field);
  const settings: QueueSettings = {
    messageTtlMs: integerOf(given.get('x-message-ttl')),
    expiresMs: integerOf(given.get('x-expires')),
    maxLength: integerOf(given.get('x-max-length')),
    maxLengthBytes: integerOf(given.get('x-max-length-bytes')),
    overflow: OVERFLOWS.find((one) => one === textOf(given.get('x-overflow'))) ?? 'drop-head',
    deadLetterExchange: textOf(given.get('x-dead-letter-exchange')),
    deadLetterRoutingKey: textOf(given.get('x-dead-letter-routing-key')),
    maxPriority: integerOf(given.get('x-max-priority')) ?? 0,
    singleActiveConsumer: booleanOf(given.get('x-single-active-consumer')),
  };
  if (settings.deadLetterRoutingKey !== undefined && settings.deadLetterExchange === undefined) {
    throw invalid(queue, 'x-dead-letter-routing-key', 'without x-dead-letter-exchange');
  }
  return settings;
}

function booleanOf(field: FieldValue | undefined): boolean {
  return field?.type === 't' && field.value;
}

function checkArgument(queue: string, name: string, field: FieldValue): void {
  const check = Object.hasOwn(CHECKS, name) ? CHECKS[name] : undefined;
  if (check === undefined) {
    if (!name.startsWith('x-')) return;
    const message = `argument '${name}' of queue '${queue}' is not supported`;
    throw new AmqpError('not-implemented', message, { scope: 'channel' });
  }
  const complaint = check(field);
  if (complaint !== undefined) throw invalid(queue, name, complaint);
}

function invalid(queue: string, name: string, complaint: string): AmqpError {
  return new AmqpError(
    'precondition-failed',
    `invalid arg '${name}' for queue '${queue}' in vhost '/': ${complaint}`,
  );
}

function wholeNumber(field: FieldValue, least: number, most: number): string | undefined {
  const value = integerOf(field);
  if (value === undefined) return 'a whole number expected';
  return value < least || value > most ? `${value} is not from ${least} to ${most}` : undefined;
}

function text(field: FieldValue): string | undefined {
  return textOf(field) === undefined ? 'a string expected' : undefined;
}

function oneOf(field: FieldValue, allowed: readonly string[]): string | undefined {
  const value = textOf(field);
  return value !== undefined && allowed.includes(value) ? undefined : `supported: ${allowed.join(', ')}`;
}
