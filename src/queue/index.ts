/** The message queue: AMQP 0-9-1 server, management API and client. See README.md. */
export {
  type ConsumeOptions,
  connectQueue,
  type PublishOptions,
  type QueueClient,
  type QueueClientOptions,
  type QueueMessage,
  type Subscription,
} from './client/client.ts';
export { AmqpError, type AmqpErrorCode } from './errors.ts';
export { DEFAULT_LIMITS as DEFAULT_QUEUE_LIMITS, type QueueLimits } from './limits.ts';
export { DEFAULT_QUEUE_OPTIONS, type QueueOptions, QueueOptionsError } from './server/options.ts';
export { type QueueService, startQueue } from './server/server.ts';
