import { AmqpError } from '../../errors.ts';
import { textOf } from '../../wire/field-table.ts';
import { type Binding, type Destination, sameBinding } from '../binding.ts';
import type { ExchangeDefinition } from '../storage.ts';
import { DirectRouter } from './direct.ts';
import { FanoutRouter } from './fanout.ts';
import { checkHeadersBinding, HeadersRouter } from './headers.ts';
import type { Routable, Router } from './router.ts';
import { TopicRouter } from './topic.ts';

const ROUTERS = {
  direct: <B extends Binding>(): Router<B> => new DirectRouter<B>(),
  fanout: <B extends Binding>(): Router<B> => new FanoutRouter<B>(),
  topic: <B extends Binding>(): Router<B> => new TopicRouter<B>(),
  headers: <B extends Binding>(): Router<B> => new HeadersRouter<B>(),
} as const;

export type ExchangeType = keyof typeof ROUTERS;

export const EXCHANGE_TYPES = Object.keys(ROUTERS) as readonly ExchangeType[];

/** @throws AmqpError `precondition-failed` for a type that this broker does not have */
export function checkExchangeType(type: string): asserts type is ExchangeType {
  if (!Object.hasOwn(ROUTERS, type)) {
    throw new AmqpError('precondition-failed', `unknown exchange type '${type}'`);
  }
}

/** Exchanges that are always there, with their types. The nameless one routes to queues by their name. */
export const PREDECLARED: readonly (readonly [name: string, type: ExchangeType])[] = [
  ['', 'direct'],
  ['amq.direct', 'direct'],
  ['amq.fanout', 'fanout'],
  ['amq.topic', 'topic'],
  ['amq.headers', 'headers'],
  ['amq.match', 'headers'],
];

export class Exchange implements Destination {
  readonly kind = 'exchange';
  readonly definition: ExchangeDefinition;
  readonly type: ExchangeType;
  /** Messages that matched nothing here are offered to this exchange. */
  readonly alternate: string | undefined;
  /** Messages published to it, also through other exchanges. */
  published = 0;
  readonly #router: Router<Binding>;
  readonly #bindings = new Set<Binding>();
  /** Bindings with the same destination and key, which differ by their arguments at most. */
  readonly #alike = new Map<string, Binding[]>();
  /** Bindings that end here. */
  readonly incoming = new Set<Binding>();

  /** @throws AmqpError `precondition-failed` */
  constructor(definition: ExchangeDefinition) {
    checkExchangeType(definition.type);
    this.definition = definition;
    this.type = definition.type;
    this.alternate = textOf(definition.arguments.get('alternate-exchange'));
    this.#router = ROUTERS[definition.type]<Binding>();
  }

  get name(): string {
    return this.definition.name;
  }

  get bindings(): ReadonlySet<Binding> {
    return this.#bindings;
  }

  /** @returns false when the same binding was there already. @throws AmqpError `precondition-failed` */
  bind(binding: Binding): boolean {
    if (this.type === 'headers') checkHeadersBinding(binding.arguments);
    const alike = this.#alike.get(likenessOf(binding)) ?? [];
    if (alike.some((one) => sameBinding(one, binding))) return false;
    this.#alike.set(likenessOf(binding), [...alike, binding]);
    this.#bindings.add(binding);
    this.#router.add(binding);
    return true;
  }

  /** @returns the binding that was removed; undefined when there was none */
  unbind(like: Binding): Binding | undefined {
    const alike = this.#alike.get(likenessOf(like)) ?? [];
    const binding = alike.find((one) => sameBinding(one, like));
    if (binding === undefined) return undefined;
    const others = alike.filter((one) => one !== binding);
    if (others.length > 0) this.#alike.set(likenessOf(like), others);
    else this.#alike.delete(likenessOf(like));
    this.#bindings.delete(binding);
    this.#router.remove(binding);
    return binding;
  }

  route(message: Routable, found: (destination: Destination) => void): void {
    this.#router.route(message, (binding) => found(binding.destination));
  }
}

function likenessOf(binding: Binding): string {
  return JSON.stringify([binding.destination.kind, binding.destination.name, binding.routingKey]);
}
