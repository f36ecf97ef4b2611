/** Something wrong on the disk, with its place. */
export interface Damage {
  /** The file, or the folder when a file is missing. */
  readonly path: string;
  /** Where in the file, in bytes from its beginning. */
  readonly offset?: number;
  /** Of a page file: the page. */
  readonly page?: number;
  /** Of a journal: the batch that should be there. */
  readonly position?: number;
  /** What is wrong, as a clause without its place. */
  readonly what: string;
}

/** Damage as one line: where, then what. */
export function renderDamage({ path, offset, page, position, what }: Damage): string {
  const places = [
    path,
    ...(page === undefined ? [] : [`page ${page}`]),
    ...(offset === undefined ? [] : [`offset ${offset}`]),
    ...(position === undefined ? [] : [`position ${position}`]),
  ];
  return `${places.join(', ')}: ${what}`;
}
