/** Fails a test run on a Node too old to mean anything; reached only where types are stripped at all. */
const major = Number(process.versions.node.split('.')[0]);
if (major < 26) {
  console.error(
    `Octet is developed on Node 26; this is ${process.version}. Run \`npm ci\` without --omit=optional.`,
  );
  process.exit(1);
}
