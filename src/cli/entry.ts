#!/usr/bin/env node
/** Where the command begins, from the sources as from the bundle. */
import { endWhenNobodyReads } from './closed-output.ts';
import { main } from './main.ts';

endWhenNobodyReads();
process.exitCode = await main(process.argv.slice(2));
