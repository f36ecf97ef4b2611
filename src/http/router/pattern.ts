/**
 * A route's pattern, taken apart.
 *
 *   /spells/:id<int>/pages/:from-:to.json
 *   └──┬───┘└───┬───┘└──┬──┘└─────┬─────┘
 *     text   template  text    template: parameters, what is between them, and what ends the segment
 *
 * Inside one segment there is one way to match, so that nothing is tried twice: a parameter with text behind it
 * ends where that text first comes (after at least one character), and the last one takes what is left. So
 * `:from-:to` of `a-b-c` is `a` and `b-c`.
 *
 * Text is written as in a URL, and decoded as a path is: `%3A` is a colon that begins no parameter.
 */
import { OctetError } from '../../core/errors.ts';
import type { Constraint } from './constraint.ts';
import { decodeText, percentDecode } from './path.ts';

/** A route that cannot be added. */
export class RouteError extends OctetError<'bad-route'> {
  constructor(message: string) {
    super('bad-route', message);
  }
}

export interface Parameter {
  readonly name: string;
  /** As written, `int`; undefined when anything fits. */
  readonly type: string | undefined;
  readonly accepts: Constraint | undefined;
}

export interface Template {
  readonly kind: 'template';
  readonly parameters: readonly Parameter[];
  /** Between two parameters each, never empty. */
  readonly separators: readonly string[];
  /** Up to the end of the segment; may be empty. */
  readonly suffix: string;
}

export type Piece =
  | { readonly kind: 'text'; readonly text: string }
  | Template
  | { readonly kind: 'wildcard'; readonly name: string };

export type Constraints = ReadonlyMap<string, Constraint>;

/** @throws RouteError */
export function parsePattern(pattern: string, constraints: Constraints): Piece[] {
  if (!pattern.startsWith('/')) throw new RouteError(`${pattern} does not begin with a slash`);
  if (pattern.split('/').some((segment) => ['.', '..'].includes(percentDecode(segment) ?? ''))) {
    throw new RouteError(`${pattern} has a dot segment, which no path may have`);
  }
  return new PatternParser(pattern, constraints).pieces();
}

/** @throws RouteError for a name that comes twice */
export function parameterNames(pieces: readonly Piece[], pattern: string): string[] {
  const names = pieces.flatMap((piece) => {
    if (piece.kind === 'template') return piece.parameters.map(({ name }) => name);
    return piece.kind === 'wildcard' ? [piece.name] : [];
  });
  if (new Set(names).size < names.length) throw new RouteError(`${pattern} names a parameter twice`);
  return names;
}

class PatternParser {
  readonly #pattern: string;
  readonly #constraints: Constraints;
  #at = 0;

  constructor(pattern: string, constraints: Constraints) {
    this.#pattern = pattern;
    this.#constraints = constraints;
  }

  pieces(): Piece[] {
    const pieces: Piece[] = [];
    while (this.#at < this.#pattern.length) {
      const sign = this.#pattern[this.#at];
      if (sign === ':') pieces.push(this.#template());
      else if (sign === '*') pieces.push(this.#wildcard());
      else pieces.push({ kind: 'text', text: this.#text() });
    }
    return pieces;
  }

  /** Static text, over any number of segments. */
  #text(): string {
    const from = this.#at;
    while (this.#at < this.#pattern.length && !':*'.includes(this.#pattern[this.#at]!)) this.#at++;
    return this.#decoded(this.#pattern.slice(from, this.#at));
  }

  #template(): Template {
    const parameters: Parameter[] = [];
    const separators: string[] = [];
    for (;;) {
      parameters.push(this.#parameter());
      const text = this.#textInSegment();
      if (this.#pattern[this.#at] !== ':') return { kind: 'template', parameters, separators, suffix: text };
      if (text === '') throw this.#error('has two parameters with nothing between them');
      separators.push(text);
    }
  }

  #textInSegment(): string {
    const from = this.#at;
    while (this.#at < this.#pattern.length && !':*/'.includes(this.#pattern[this.#at]!)) this.#at++;
    if (this.#pattern[this.#at] === '*') throw this.#error('has a wildcard that begins inside a segment');
    return this.#decoded(this.#pattern.slice(from, this.#at));
  }

  #parameter(): Parameter {
    const name = this.#name();
    const type = this.#type();
    const accepts = type === undefined ? undefined : this.#constraints.get(type);
    if (type !== undefined && accepts === undefined) throw this.#error(`has an unknown constraint <${type}>`);
    return { name, type, accepts };
  }

  #type(): string | undefined {
    if (this.#pattern[this.#at] !== '<') return undefined;
    const end = this.#pattern.indexOf('>', this.#at);
    if (end < 0) throw this.#error('has a constraint without its >');
    const type = this.#pattern.slice(this.#at + 1, end);
    this.#at = end + 1;
    return type;
  }

  #wildcard(): Piece {
    if (this.#pattern[this.#at - 1] !== '/') throw this.#error('has a wildcard that begins inside a segment');
    const name = this.#name();
    if (this.#at < this.#pattern.length) throw this.#error('goes on behind its wildcard');
    return { kind: 'wildcard', name };
  }

  /** The name behind the sign at which we stand. */
  #name(): string {
    const from = ++this.#at;
    while (isNameCharacter(this.#pattern.charCodeAt(this.#at))) this.#at++;
    if (this.#at === from) throw this.#error('has a parameter without a name');
    return this.#pattern.slice(from, this.#at);
  }

  #decoded(text: string): string {
    for (const sign of '?#<>') {
      if (text.includes(sign)) throw this.#error(`has a ${sign} where no path can have one`);
    }
    const decoded = decodeText(text);
    if (decoded === undefined) throw this.#error('has a broken escape');
    return decoded;
  }

  #error(what: string): RouteError {
    return new RouteError(`${this.#pattern} ${what}`);
  }
}

function isNameCharacter(code: number): boolean {
  const lower = code | 0x20;
  return (code >= 0x30 && code <= 0x39) || (lower >= 0x61 && lower <= 0x7a) || code === 0x5f;
}

/** Whether both take the same segments, whatever their parameters are called. */
export function sameTemplate(one: Template, other: Template): boolean {
  return (
    one.suffix === other.suffix &&
    one.parameters.length === other.parameters.length &&
    one.separators.every((separator, at) => separator === other.separators[at]) &&
    one.parameters.every(({ accepts }, at) => accepts === other.parameters[at]!.accepts)
  );
}

/** Negative when `one` is the more particular: more text, then more constraints. */
export function compareTemplates(one: Template, other: Template): number {
  return textLength(other) - textLength(one) || constraintCount(other) - constraintCount(one);
}

function textLength({ separators, suffix }: Template): number {
  return separators.reduce((sum, separator) => sum + separator.length, suffix.length);
}

function constraintCount({ parameters }: Template): number {
  return parameters.filter(({ accepts }) => accepts !== undefined).length;
}
