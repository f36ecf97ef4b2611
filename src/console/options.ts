/** What the console can be told. */
export interface ConsoleOptions {
  readonly host: string;
  /** 0 lets the operating system choose. */
  readonly port: number;
  /** Folder of the page's files. */
  readonly assets: string;
  /** Name → admin address (`http://host:port`) of each process to show. */
  readonly sources: Readonly<Record<string, string>>;
  /** Goes to the admin addresses; and is the password of the page where it is reachable beyond loopback. '' for none. */
  readonly token: string;
}
