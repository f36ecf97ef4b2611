import { equalTables, type FieldTable } from '../wire/field-table.ts';

/** The end of a binding: a queue or, with exchange-to-exchange bindings, another exchange. */
export interface Destination {
  readonly kind: 'queue' | 'exchange';
  readonly name: string;
}

/** One rule "messages of this source that match go there too". */
export interface Binding {
  readonly source: string;
  readonly destination: Destination;
  readonly routingKey: string;
  readonly arguments: FieldTable;
}

/** A binding is what it says: two that say the same are one. */
export function sameBinding(left: Binding, right: Binding): boolean {
  return (
    left.routingKey === right.routingKey &&
    left.destination.name === right.destination.name &&
    left.destination.kind === right.destination.kind &&
    left.source === right.source &&
    equalTables(left.arguments, right.arguments)
  );
}
