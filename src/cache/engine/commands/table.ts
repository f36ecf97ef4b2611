/** All commands. */
import type { Command } from '../command.ts';
import { BIT_FIELD_COMMANDS } from './bit-fields.ts';
import { BIT_COMMANDS } from './bits.ts';
import { CLIENT_COMMANDS } from './clients.ts';
import { CONNECTION_COMMANDS } from './connection.ts';
import { COUNTER_COMMANDS } from './counters.ts';
import { EXPIRY_COMMANDS } from './expiry.ts';
import { HASH_COMMANDS } from './hashes.ts';
import { INFO_COMMANDS } from './info.ts';
import { INTROSPECTION_COMMANDS } from './introspection.ts';
import { KEY_COMMANDS } from './keys.ts';
import { LCS_COMMANDS } from './lcs.ts';
import { LIST_COMMANDS } from './lists.ts';
import { LIST_MOVING_COMMANDS } from './lists-moving.ts';
import { PUBSUB_COMMANDS } from './pubsub.ts';
import { SERVER_COMMANDS } from './server.ts';
import { SET_COMMANDS } from './sets.ts';
import { SORT_COMMANDS } from './sort.ts';
import { SORTED_SET_ALGEBRA_COMMANDS } from './sorted-set-algebra.ts';
import { SORTED_SET_RANGE_COMMANDS } from './sorted-set-ranges.ts';
import { SORTED_SET_COMMANDS } from './sorted-sets.ts';
import { STRING_COMMANDS } from './strings.ts';
import { TRANSACTION_COMMANDS } from './transactions.ts';

export const COMMANDS: readonly Command[] = [
  ...STRING_COMMANDS,
  ...COUNTER_COMMANDS,
  ...LCS_COMMANDS,
  ...BIT_COMMANDS,
  ...BIT_FIELD_COMMANDS,
  ...KEY_COMMANDS,
  ...EXPIRY_COMMANDS,
  ...SORT_COMMANDS,
  ...HASH_COMMANDS,
  ...LIST_COMMANDS,
  ...LIST_MOVING_COMMANDS,
  ...SET_COMMANDS,
  ...SORTED_SET_COMMANDS,
  ...SORTED_SET_RANGE_COMMANDS,
  ...SORTED_SET_ALGEBRA_COMMANDS,
  ...PUBSUB_COMMANDS,
  ...TRANSACTION_COMMANDS,
  ...CONNECTION_COMMANDS,
  ...CLIENT_COMMANDS,
  ...INTROSPECTION_COMMANDS,
  ...INFO_COMMANDS,
  ...SERVER_COMMANDS,
];
