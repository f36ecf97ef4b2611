/**
 * The two SASL mechanisms that every mail client has: PLAIN (RFC 4616) and LOGIN (never standardised,
 * described in draft-murchison-sasl-login). Both carry the password itself.
 */

export interface AuthExchange {
  /** The text of the next 334. */
  challenge(): string;
  /** Takes a line of base64. */
  answer(line: string): 'more' | 'malformed' | { readonly username: string; readonly password: string };
}

/** @returns undefined for a mechanism that is not done here */
export function startAuth(mechanism: string): AuthExchange | undefined {
  if (mechanism === 'PLAIN') return plain();
  if (mechanism === 'LOGIN') return login();
  return undefined;
}

/** [authzid] NUL authcid NUL passwd */
function plain(): AuthExchange {
  return {
    challenge: () => '',
    answer(line) {
      const text = decodeBase64(line);
      const parts = text?.split('\0');
      if (parts?.length !== 3) return 'malformed';
      const [authorize, username, password] = parts as [string, string, string];
      // Acting for somebody else is not supported; naming oneself is common and harmless.
      if (authorize !== '' && authorize !== username) return 'malformed';
      return { username, password };
    },
  };
}

function login(): AuthExchange {
  let username: string | undefined;
  return {
    challenge: () => Buffer.from(username === undefined ? 'Username:' : 'Password:').toString('base64'),
    answer(line) {
      const text = decodeBase64(line);
      if (text === undefined) return 'malformed';
      if (username !== undefined) return { username, password: text };
      username = text;
      return 'more';
    },
  };
}

/** Buffer.from passes over what is not base64, so the text must come out again as it went in. */
function decodeBase64(line: string): string | undefined {
  const bytes = Buffer.from(line, 'base64');
  const again = bytes.toString('base64');
  return again === line || again.replaceAll('=', '') === line ? bytes.toString('utf8') : undefined;
}
