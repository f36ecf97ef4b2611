/** All commands. */
import type { Command } from '../command.ts';
import { CONNECTION_COMMANDS } from './connection.ts';
import { COUNTER_COMMANDS } from './counters.ts';
import { EXPIRY_COMMANDS } from './expiry.ts';
import { KEY_COMMANDS } from './keys.ts';
import { LIST_COMMANDS } from './lists.ts';
import { LIST_MOVING_COMMANDS } from './lists-moving.ts';
import { PUBSUB_COMMANDS } from './pubsub.ts';
import { STRING_COMMANDS } from './strings.ts';
import { TRANSACTION_COMMANDS } from './transactions.ts';

export const COMMANDS: readonly Command[] = [
  ...CONNECTION_COMMANDS,
  ...COUNTER_COMMANDS,
  ...EXPIRY_COMMANDS,
  ...KEY_COMMANDS,
  ...LIST_COMMANDS,
  ...LIST_MOVING_COMMANDS,
  ...PUBSUB_COMMANDS,
  ...STRING_COMMANDS,
  ...TRANSACTION_COMMANDS,
];
