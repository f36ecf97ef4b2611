/** The package's face: start an Octet, describe its configuration. */
export { defineConfig, type OctetConfig, type OctetInput } from './octet/config.ts';
export { Octet, type OctetOptions, startOctet } from './octet.ts';
