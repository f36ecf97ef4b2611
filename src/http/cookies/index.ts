/** Cookies: what a browser sent, what it is told to keep, and values that prove who wrote them. RFC 6265bis. */
export { type Cookies, readCookies } from './read.ts';
export { clearCookie, type SetCookie, setCookie } from './set-cookie.ts';
export { CookieKeyError, type CookieSigner, createCookieSigner } from './signer.ts';
