/**
 * Inline commands: a line of words, for people at a telnet prompt.
 *
 *   SET greeting "hello\x20world\n"
 *
 * Words are separated by blanks. A word in double quotes knows \n \r \t \b \a \\ \" and \xHH; one in single
 * quotes knows only \'. A closing quote must be followed by a blank or the end of the line.
 */

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', a: '\x07' };

/** The words of a line, or undefined when its quotes are not balanced. */
export function splitInline(line: string): string[] | undefined {
  const words: string[] = [];
  let at = 0;
  for (;;) {
    while (at < line.length && isBlank(line.charCodeAt(at))) at++;
    if (at >= line.length) return words;
    const end = readWord(line, at, words);
    if (end < 0) return undefined;
    at = end;
  }
}

/** Appends the word that begins at `at`; returns where it ends, or -1. */
function readWord(line: string, at: number, words: string[]): number {
  let word = '';
  while (at < line.length && !isBlank(line.charCodeAt(at))) {
    const char = line[at]!;
    if (char !== '"' && char !== "'") {
      word += char;
      at++;
      continue;
    }
    const quoted = char === '"' ? readDoubleQuoted(line, at + 1) : readSingleQuoted(line, at + 1);
    if (quoted === undefined) return -1;
    word += quoted.text;
    at = quoted.end;
    if (at < line.length && !isBlank(line.charCodeAt(at))) return -1;
  }
  words.push(word);
  return at;
}

interface Quoted {
  readonly text: string;
  /** The position after the closing quote. */
  readonly end: number;
}

function readDoubleQuoted(line: string, at: number): Quoted | undefined {
  let text = '';
  while (at < line.length) {
    const char = line[at]!;
    if (char === '"') return { text, end: at + 1 };
    if (char !== '\\' || at + 1 >= line.length) {
      text += char;
      at++;
      continue;
    }
    const byte = hexByte(line, at + 1);
    if (byte >= 0) {
      text += String.fromCharCode(byte);
      at += 4;
    } else {
      text += ESCAPES[line[at + 1]!] ?? line[at + 1]!;
      at += 2;
    }
  }
  return undefined;
}

function readSingleQuoted(line: string, at: number): Quoted | undefined {
  let text = '';
  while (at < line.length) {
    if (line[at] === "'") return { text, end: at + 1 };
    if (line[at] === '\\' && line[at + 1] === "'") at++;
    text += line[at]!;
    at++;
  }
  return undefined;
}

/** The value of `xHH` at `at`, or -1. */
function hexByte(line: string, at: number): number {
  if (line[at] !== 'x') return -1;
  const high = hexDigit(line.charCodeAt(at + 1));
  const low = hexDigit(line.charCodeAt(at + 2));
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  const folded = code | 32;
  return folded >= 97 && folded <= 102 ? folded - 87 : -1;
}

function isBlank(code: number): boolean {
  return code === 32 || (code >= 9 && code <= 13) || code === 0;
}
