/** Who calls: credentials in fields, and what keeps foreign pages out. */
export { createHostRule, type HostRule, isAllowedHost, isHostName } from './allowed-hosts.ts';
export { type BasicCredentials, basicChallenge, basicCredentials } from './basic.ts';
export { hostNameOf, isOwnOrigin } from './caller.ts';
export { secretsEqual } from './secret.ts';
