/**
 * SQL text → tokens, by PostgreSQL's lexical rules (manual section 4.1).
 *
 *   SELECT "Name", 'it''s', E'\n', $$body$$, 1.5e3, $1 FROM t -- comment
 *   └word─┘└quoted┘└──────string──────────┘└number┘└param
 *
 * Unquoted words are folded to lower case (ASCII only). An operator is the longest run of operator
 * characters that does not begin a comment, and does not end in + or - unless it holds one of ~!@#%^&|`?.
 * Positions are offsets in UTF-16 units from 0.
 */
import { DatabaseError, notSupported } from '../../errors.ts';
import { MAX_IDENTIFIER_BYTES } from '../../limits.ts';

export type TokenKind = 'word' | 'quoted' | 'string' | 'integer' | 'decimal' | 'param' | 'operator' | 'end';

export interface Token {
  readonly kind: TokenKind;
  /** The folded word, the string's value, the number's digits, the operator's characters. */
  readonly text: string;
  readonly at: number;
  /** Offset after the last character. */
  readonly end: number;
}

const OPERATOR_CHARACTERS = '+-*/<>=~!@#%^&|`?';
const SINGLE_CHARACTERS = '()[],;.:';

/** @throws DatabaseError 42601 with its position */
export function tokenize(sql: string): Token[] {
  return new Lexer(sql).all();
}

class Lexer {
  readonly #sql: string;
  #at = 0;

  constructor(sql: string) {
    this.#sql = sql;
  }

  all(): Token[] {
    const tokens: Token[] = [];
    for (;;) {
      this.#skipSpace();
      const token = this.#next();
      tokens.push(token);
      if (token.kind === 'end') return tokens;
    }
  }

  #skipSpace(): void {
    const sql = this.#sql;
    for (;;) {
      const c = sql.charCodeAt(this.#at);
      if (isSpace(c)) this.#at++;
      else if (c === 0x2d && sql.charCodeAt(this.#at + 1) === 0x2d) this.#skipLine();
      else if (c === 0x2f && sql.charCodeAt(this.#at + 1) === 0x2a) this.#skipBlock();
      else return;
    }
  }

  #skipLine(): void {
    while (this.#at < this.#sql.length && !isNewline(this.#sql.charCodeAt(this.#at))) this.#at++;
  }

  /** Block comments nest, unlike in C. */
  #skipBlock(): void {
    const start = this.#at;
    let depth = 0;
    do {
      if (this.#at >= this.#sql.length) throw unterminated('/* comment', this.#sql, start);
      if (this.#sql.startsWith('/*', this.#at)) {
        depth++;
        this.#at += 2;
      } else if (this.#sql.startsWith('*/', this.#at)) {
        depth--;
        this.#at += 2;
      } else this.#at++;
    } while (depth > 0);
  }

  #next(): Token {
    const sql = this.#sql;
    const at = this.#at;
    if (at >= sql.length) return { kind: 'end', text: '', at, end: at };
    const c = sql.charCodeAt(at);
    if (c === 0x27) return this.#quotedString(at, at);
    if (c === 0x22) return this.#quotedIdentifier(at);
    if (c === 0x24) return this.#dollar(at);
    if (isDigit(c) || (c === 0x2e && isDigit(sql.charCodeAt(at + 1)))) return this.#number(at);
    if (isWordStart(c)) return this.#word(at);
    if (sql.startsWith('::', at) || sql.startsWith(':=', at) || sql.startsWith('..', at))
      return this.#take('operator', sql.slice(at, at + 2), at + 2);
    if (SINGLE_CHARACTERS.includes(sql[at]!)) return this.#take('operator', sql[at]!, at + 1);
    if (OPERATOR_CHARACTERS.includes(sql[at]!)) return this.#operator(at);
    throw syntaxErrorAt(sql, at, at + 1);
  }

  #take(kind: TokenKind, text: string, end: number): Token {
    const token = { kind, text, at: this.#at, end };
    this.#at = end;
    return token;
  }

  #word(at: number): Token {
    const sql = this.#sql;
    const next = sql.charCodeAt(at + 1);
    if (next === 0x27) {
      const prefix = sql[at]!;
      if (prefix === 'e' || prefix === 'E') return this.#escapeString(at);
      if (prefix === 'n' || prefix === 'N') return this.#quotedString(at, at + 1);
      if ('bBxX'.includes(prefix)) throw notSupported('type bit', at);
    }
    if ((sql[at] === 'U' || sql[at] === 'u') && next === 0x26 && `'"`.includes(sql[at + 2] ?? ' '))
      throw notSupported('U& Unicode escape syntax', at);
    let end = at + 1;
    while (isWordPart(sql.charCodeAt(end))) end++;
    return this.#take('word', clipIdentifier(foldCase(sql.slice(at, end))), end);
  }

  #number(at: number): Token {
    const sql = this.#sql;
    let end = at;
    let kind: TokenKind = 'integer';
    while (isDigit(sql.charCodeAt(end))) end++;
    if (sql[end] === '.' && sql[end + 1] !== '.') {
      kind = 'decimal';
      end++;
      while (isDigit(sql.charCodeAt(end))) end++;
    }
    if (sql[end] === 'e' || sql[end] === 'E') {
      let exponent = end + 1;
      if (sql[exponent] === '+' || sql[exponent] === '-') exponent++;
      if (isDigit(sql.charCodeAt(exponent))) {
        kind = 'decimal';
        end = exponent;
        while (isDigit(sql.charCodeAt(end))) end++;
      }
    }
    if (isWordStart(sql.charCodeAt(end))) {
      let junk = end;
      while (isWordPart(sql.charCodeAt(junk))) junk++;
      throw near('trailing junk after numeric literal', sql, at, junk);
    }
    return this.#take(kind, sql.slice(at, end), end);
  }

  #dollar(at: number): Token {
    const sql = this.#sql;
    if (isDigit(sql.charCodeAt(at + 1))) {
      let end = at + 1;
      while (isDigit(sql.charCodeAt(end))) end++;
      if (isWordStart(sql.charCodeAt(end))) throw near('trailing junk after parameter', sql, at, end + 1);
      return this.#take('param', sql.slice(at + 1, end), end);
    }
    let tagEnd = at + 1;
    if (isWordStart(sql.charCodeAt(tagEnd)))
      while (isWordPart(sql.charCodeAt(tagEnd)) && sql[tagEnd] !== '$') tagEnd++;
    if (sql[tagEnd] !== '$') throw syntaxErrorAt(sql, at, at + 1);
    const tag = sql.slice(at, tagEnd + 1);
    const close = sql.indexOf(tag, tagEnd + 1);
    if (close < 0) throw unterminated('dollar-quoted string', sql, at);
    return this.#take('string', sql.slice(tagEnd + 1, close), close + tag.length);
  }

  #quotedIdentifier(at: number): Token {
    const { text, end } = this.#quoted(at, '"', 'quoted identifier');
    if (text === '') throw near('zero-length delimited identifier', this.#sql, at, end);
    return this.#take('quoted', clipIdentifier(text), end);
  }

  /** `'a' <newline> 'b'` is one string. `open` is where the first quote stands, after a prefix. */
  #quotedString(at: number, open: number): Token {
    let { text, end } = this.#quoted(open, "'", 'quoted string');
    for (;;) {
      const next = this.#continuation(end);
      if (next === undefined) break;
      const more = this.#quoted(next, "'", 'quoted string');
      text += more.text;
      end = more.end;
    }
    this.#at = at;
    return this.#take('string', text, end);
  }

  #quoted(open: number, quote: string, what: string): { text: string; end: number } {
    const sql = this.#sql;
    let text = '';
    let from = open + 1;
    for (;;) {
      const close = sql.indexOf(quote, from);
      if (close < 0) throw unterminated(what, sql, open);
      text += sql.slice(from, close);
      if (sql[close + 1] !== quote) return { text, end: close + 1 };
      text += quote;
      from = close + 2;
    }
  }

  /** The offset of a quote that continues a string: only space with at least one newline lies between. */
  #continuation(end: number): number | undefined {
    const sql = this.#sql;
    let at = end;
    let newline = false;
    while (isSpace(sql.charCodeAt(at))) {
      newline ||= isNewline(sql.charCodeAt(at));
      at++;
    }
    return newline && sql[at] === "'" ? at : undefined;
  }

  #escapeString(at: number): Token {
    const sql = this.#sql;
    let text = '';
    let i = at + 2;
    for (;;) {
      if (i >= sql.length) throw unterminated('quoted string', sql, at);
      const c = sql[i]!;
      if (c === '\\') {
        const escaped = readEscape(sql, i);
        text += escaped.text;
        i = escaped.end;
      } else if (c !== "'") {
        text += c;
        i++;
      } else if (sql[i + 1] === "'") {
        text += "'";
        i += 2;
      } else {
        const next = this.#continuation(i + 1);
        if (next === undefined) return this.#take('string', text, i + 1);
        i = next + 1;
      }
    }
  }

  #operator(at: number): Token {
    const sql = this.#sql;
    let end = at;
    while (end < sql.length && OPERATOR_CHARACTERS.includes(sql[end]!)) {
      if (end > at && (sql.startsWith('--', end) || sql.startsWith('/*', end))) break;
      end++;
    }
    let text = sql.slice(at, end);
    while (text.length > 1 && /[+-]$/.test(text) && !/[~!@#%^&|`?]/.test(text)) text = text.slice(0, -1);
    return this.#take('operator', text === '!=' ? '<>' : text, at + text.length);
  }
}

/** C-style escapes of an E'' string: \b \f \n \r \t, octal, \xHH, \uXXXX, \UXXXXXXXX, else the character. */
function readEscape(sql: string, at: number): { text: string; end: number } {
  const c = sql[at + 1];
  if (c === undefined) throw unterminated('quoted string', sql, at);
  const simple = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }[c];
  if (simple !== undefined) return { text: simple, end: at + 2 };
  const pattern = { x: /[0-9a-fA-F]{1,2}/y, u: /[0-9a-fA-F]{4}/y, U: /[0-9a-fA-F]{8}/y }[c];
  if (pattern !== undefined) {
    pattern.lastIndex = at + 2;
    const digits = pattern.exec(sql)?.[0];
    if (digits !== undefined) return codePoint(Number.parseInt(digits, 16), at, at + 2 + digits.length);
    if (c !== 'x') throw new DatabaseError('22025', 'invalid Unicode escape', { at });
  }
  const octal = /[0-7]{1,3}/y;
  octal.lastIndex = at + 1;
  const digits = octal.exec(sql)?.[0];
  if (digits !== undefined) return codePoint(Number.parseInt(digits, 8) & 0xff, at, at + 1 + digits.length);
  return { text: c, end: at + 2 };
}

function codePoint(value: number, at: number, end: number): { text: string; end: number } {
  if (value === 0 || value > 0x10ffff)
    throw new DatabaseError('22021', 'invalid byte sequence for encoding "UTF8": 0x00', { at });
  return { text: String.fromCodePoint(value), end };
}

function isSpace(c: number): boolean {
  return c === 0x20 || (c >= 0x09 && c <= 0x0d);
}

function isNewline(c: number): boolean {
  return c === 0x0a || c === 0x0d;
}

function isDigit(c: number): boolean {
  return c >= 0x30 && c <= 0x39;
}

function isWordStart(c: number): boolean {
  return (c >= 0x61 && c <= 0x7a) || (c >= 0x41 && c <= 0x5a) || c === 0x5f || c >= 0x80;
}

function isWordPart(c: number): boolean {
  return isWordStart(c) || isDigit(c) || c === 0x24;
}

function foldCase(word: string): string {
  return word.replace(/[A-Z]+/g, (upper) => upper.toLowerCase());
}

/** Cuts an identifier to 63 bytes of UTF-8 at a character's border, as PostgreSQL does. */
function clipIdentifier(name: string): string {
  if (name.length * 3 <= MAX_IDENTIFIER_BYTES) return name;
  let bytes = 0;
  let end = 0;
  for (const character of name) {
    bytes += Buffer.byteLength(character);
    if (bytes > MAX_IDENTIFIER_BYTES) break;
    end += character.length;
  }
  return name.slice(0, end);
}

function near(message: string, sql: string, at: number, end: number): DatabaseError {
  return new DatabaseError('42601', `${message} at or near "${sql.slice(at, end)}"`, {
    at,
    routine: 'scanner_yyerror',
  });
}

function unterminated(what: string, sql: string, at: number): DatabaseError {
  return near(`unterminated ${what}`, sql, at, sql.length);
}

/** `syntax error at or near "x"`, or at the end of input. */
export function syntaxErrorAt(sql: string, at: number, end: number): DatabaseError {
  const where = at >= sql.length ? 'at end of input' : `at or near "${sql.slice(at, end)}"`;
  return new DatabaseError('42601', `syntax error ${where}`, { at, routine: 'scanner_yyerror' });
}
