/** The console: one page that shows what runs. See README.md. */
export type { ConsoleOptions } from './options.ts';
export { startConsole } from './server.ts';
