#!/usr/bin/env node
// The version guard: must parse on any Node, so nothing newer than ES modules stands here.
var major = Number(process.versions.node.split('.')[0]);
if (major < 26) {
  console.error(`octet needs Node 26 or newer; this is ${process.version}.`);
  console.error('In a checkout, `npm ci` brings one along: start with `npm start` or `npx octet`.');
  process.exit(1);
}
const { enableCompileCache } = await import('node:module');
enableCompileCache();
await import('../src/cli/entry.ts');
