/** SMTP in, mailboxes, an inbox over HTTP, and a client that sends. See README.md. */
export { type MailClientOptions, type OutgoingMessage, type SendResult, sendMail } from './client.ts';
export type { MessageFilter, MessageSummary } from './engine/message.ts';
export { MailError } from './errors.ts';
export { DEFAULT_MAIL_LIMITS, type MailLimits } from './limits.ts';
export { DEFAULT_MAIL_OPTIONS, type MailOptions } from './options.ts';
export { type Mail, startMail } from './server.ts';
export type { MailboxInfo } from './store.ts';
