/** The parameters of a pattern, as a type: `ParamsOf<'/a/:id<int>/*rest'>` is `{ readonly id: string; readonly rest: string }`. */

type Letter =
  | 'a'
  | 'b'
  | 'c'
  | 'd'
  | 'e'
  | 'f'
  | 'g'
  | 'h'
  | 'i'
  | 'j'
  | 'k'
  | 'l'
  | 'm'
  | 'n'
  | 'o'
  | 'p'
  | 'q'
  | 'r'
  | 's'
  | 't'
  | 'u'
  | 'v'
  | 'w'
  | 'x'
  | 'y'
  | 'z';
type NameCharacter =
  | Letter
  | Uppercase<Letter>
  | '0'
  | '1'
  | '2'
  | '3'
  | '4'
  | '5'
  | '6'
  | '7'
  | '8'
  | '9'
  | '_';

type NameAtStart<Text extends string, Name extends string = ''> = Text extends `${infer First}${infer Rest}`
  ? First extends NameCharacter
    ? NameAtStart<Rest, `${Name}${First}`>
    : Name
  : Name;

type NamesBehind<
  Sign extends string,
  Pattern extends string,
  Names = never,
> = Pattern extends `${string}${Sign}${infer Rest}`
  ? NamesBehind<Sign, Rest, Names | NameAtStart<Rest>>
  : Names;

/** For a pattern that is not known when compiling, any name. */
export type ParamsOf<Pattern extends string> = string extends Pattern
  ? Readonly<Record<string, string>>
  : { readonly [Name in NamesBehind<':', Pattern> | NamesBehind<'*', Pattern>]: string };
