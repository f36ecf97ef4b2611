import type { FieldTable } from '../../wire/field-table.ts';
import type { Binding } from '../binding.ts';

/** What a message is routed by. */
export interface Routable {
  readonly routingKey: string;
  readonly headers: FieldTable;
}

/** The part of an exchange that differs by its type. */
export interface Router<B extends Binding> {
  add(binding: B): void;
  remove(binding: B): void;
  /** Calls `found` for each binding that matches. */
  route(message: Routable, found: (binding: B) => void): void;
}
