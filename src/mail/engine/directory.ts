/**
 * Whose mail is taken. Mail for other domains is refused: this is no relay, for nobody.
 */
import type { Mailbox } from '../wire/address.ts';

export interface DirectoryConfig {
  /** Lower case. */
  readonly domains: readonly string[];
  /** `any` takes every local part of these domains; a list takes these full addresses (and what is `+tagged`). */
  readonly mailboxes: 'any' | readonly string[];
}

export interface Directory {
  accepts(recipient: Mailbox): 'yes' | 'no-mailbox' | 'relay';
  /** The mailbox that holds this recipient's mail: `User+tag@Example.com` → `user@example.com`. */
  mailboxOf(recipient: Mailbox): string;
}

/** @throws RangeError when there is no domain, or a listed mailbox lies in none of them */
export function createDirectory(config: DirectoryConfig): Directory {
  const [home] = config.domains;
  if (home === undefined) throw new RangeError('mail needs at least one domain');
  const domains = new Set(config.domains.map((domain) => domain.toLowerCase()));
  const listed =
    config.mailboxes === 'any' ? undefined : new Set(config.mailboxes.map((one) => one.toLowerCase()));
  for (const mailbox of listed ?? []) {
    if (!domains.has(mailbox.slice(mailbox.lastIndexOf('@') + 1)))
      throw new RangeError(`${mailbox} is in none of the domains`);
  }

  const mailboxOf = (recipient: Mailbox): string => {
    const plus = recipient.localPart.indexOf('+');
    const local = plus > 0 ? recipient.localPart.slice(0, plus) : recipient.localPart;
    return `${local.toLowerCase()}@${recipient.domain === '' ? home.toLowerCase() : recipient.domain}`;
  };

  return {
    mailboxOf,
    accepts(recipient) {
      // RFC 5321 section 4.5.1: postmaster is always there, with or without a domain.
      const isPostmaster = recipient.localPart.toLowerCase() === 'postmaster';
      if (recipient.domain === '') return isPostmaster ? 'yes' : 'relay';
      if (!domains.has(recipient.domain)) return 'relay';
      // user%elsewhere@ours and elsewhere!user@ours ask us to send it on.
      if (
        recipient.localPart.includes('%') ||
        recipient.localPart.includes('!') ||
        recipient.localPart.includes('@')
      ) {
        return 'relay';
      }
      return isPostmaster || listed === undefined || listed.has(mailboxOf(recipient)) ? 'yes' : 'no-mailbox';
    },
  };
}
