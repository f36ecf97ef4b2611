/**
 * A cursor over tokens with the few moves a recursive-descent parser needs, and its errors.
 */
import { DatabaseError } from '../../errors.ts';
import type { Name, Query } from './ast.ts';
import { RESERVED, TYPE_OR_FUNCTION } from './keywords.ts';
import { syntaxErrorAt, type Token } from './lexer.ts';

export class TokenStream {
  readonly sql: string;
  readonly #tokens: readonly Token[];
  readonly #maxNesting: number;
  /** Expressions hold queries and queries hold expressions; this knot is tied by `parser.ts`. */
  readonly #parseQuery: (s: TokenStream) => Query;
  #index = 0;
  #depth = 0;
  /** The greatest $n seen. */
  parameterCount = 0;

  constructor(
    sql: string,
    tokens: readonly Token[],
    maxNesting: number,
    parseQuery: (s: TokenStream) => Query,
  ) {
    this.sql = sql;
    this.#tokens = tokens;
    this.#maxNesting = maxNesting;
    this.#parseQuery = parseQuery;
  }

  get token(): Token {
    return this.#tokens[this.#index]!;
  }

  get at(): number {
    return this.token.at;
  }

  get atEnd(): boolean {
    return this.token.kind === 'end';
  }

  /** Offset after the token before this one. */
  get previousEnd(): number {
    return this.#tokens[this.#index - 1]?.end ?? 0;
  }

  peek(ahead = 1): Token {
    return this.#tokens[Math.min(this.#index + ahead, this.#tokens.length - 1)]!;
  }

  next(): Token {
    const token = this.token;
    if (token.kind !== 'end') this.#index++;
    return token;
  }

  /** Where the cursor stands, for `rewind`. */
  mark(): number {
    return this.#index;
  }

  rewind(mark: number): void {
    this.#index = mark;
  }

  isWord(...words: string[]): boolean {
    return this.token.kind === 'word' && words.includes(this.token.text);
  }

  /** True when the next words are these, in order. */
  areWords(...words: string[]): boolean {
    return words.every((word, i) => {
      const token = this.peek(i);
      return token.kind === 'word' && token.text === word;
    });
  }

  isOperator(...operators: string[]): boolean {
    return this.token.kind === 'operator' && operators.includes(this.token.text);
  }

  /** Takes these words if they come next. */
  accept(...words: string[]): boolean {
    if (!this.areWords(...words)) return false;
    this.#index += words.length;
    return true;
  }

  acceptOperator(operator: string): boolean {
    if (!this.isOperator(operator)) return false;
    this.#index++;
    return true;
  }

  expect(...words: string[]): void {
    for (const word of words) if (!this.accept(word)) throw this.syntaxError();
  }

  expectOperator(operator: string): void {
    if (!this.acceptOperator(operator)) throw this.syntaxError();
  }

  /** True when a query begins here, perhaps in parentheses of its own. */
  startsQuery(): boolean {
    let ahead = 0;
    while (this.peek(ahead).kind === 'operator' && this.peek(ahead).text === '(') ahead++;
    const token = this.peek(ahead);
    return token.kind === 'word' && ['select', 'values', 'with', 'table'].includes(token.text);
  }

  query(): Query {
    return this.#parseQuery(this);
  }

  /** `syntax error at or near` the current token. */
  syntaxError(): DatabaseError {
    return syntaxErrorAt(this.sql, this.token.at, this.token.end);
  }

  /** A name of a column, table, alias or the like. */
  identifier(): string {
    const { kind, text } = this.token;
    if (kind === 'quoted' || (kind === 'word' && !RESERVED.has(text) && !TYPE_OR_FUNCTION.has(text)))
      return this.next().text;
    throw this.syntaxError();
  }

  /** A column's label after AS, or a field after a dot: any word. */
  label(): string {
    const { kind } = this.token;
    if (kind === 'quoted' || kind === 'word') return this.next().text;
    throw this.syntaxError();
  }

  /** `name` or `schema.name`. */
  qualifiedName(): Name {
    const at = this.at;
    const first = this.identifier();
    if (!this.acceptOperator('.')) return { name: first, at };
    const second = this.label();
    if (!this.acceptOperator('.')) return { schema: first, name: second, at };
    return { schema: second, name: this.label(), at };
  }

  /** One item or more between commas. */
  list<T>(item: () => T): T[] {
    const items = [item()];
    while (this.acceptOperator(',')) items.push(item());
    return items;
  }

  parenthesized<T>(body: () => T): T {
    this.expectOperator('(');
    const result = body();
    this.expectOperator(')');
    return result;
  }

  /** Runs `body` one level deeper. @throws DatabaseError 54001 past the limit */
  nested<T>(body: () => T): T {
    if (++this.#depth > this.#maxNesting)
      throw new DatabaseError('54001', 'statement too complex: nesting exceeds the limit', {
        at: this.at,
        hint: `At most ${this.#maxNesting} levels of nesting are allowed.`,
      });
    const result = body();
    this.#depth--;
    return result;
  }
}
