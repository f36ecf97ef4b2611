/**
 * The worker: takes each new spell from the queue and tells the wizard by mail. An ordinary program with
 * ordinary clients (amqplib, nodemailer); it knows Octet only by AMQP_URL and SMTP_URL.
 */
import { type ConsumeMessage, connect } from 'amqplib';
import { createTransport } from 'nodemailer';

export interface WorkerOptions {
  readonly amqpUrl: string;
  readonly smtpUrl: string;
  readonly recipient: string;
}

interface SpellEvent {
  readonly id: string;
  readonly row: { readonly id: number; readonly name: string; readonly power: number };
}

/** Works until closed. A message is acknowledged when its mail was accepted, else it is taken again. */
export async function startWorker(options: WorkerOptions): Promise<{ close(): Promise<void> }> {
  const transport = createTransport(options.smtpUrl, { from: 'tower@spells.test' });
  const connection = await connect(options.amqpUrl);
  const channel = await connection.createChannel();
  await channel.prefetch(10);
  const handle = async (message: ConsumeMessage): Promise<void> => {
    const { id, row } = JSON.parse(message.content.toString()) as SpellEvent;
    const requestId: unknown = message.properties.headers?.['x-request-id'];
    await transport.sendMail({
      to: options.recipient,
      subject: `A new spell: ${row.name}`,
      text: `${row.name} (number ${row.id}) has power ${row.power}.`,
      messageId: `<${id}@spells.test>`,
      headers: typeof requestId === 'string' ? { 'X-Request-Id': requestId } : {},
    });
    channel.ack(message);
  };
  await channel.consume('spell-mail', (message) => {
    if (message !== null) handle(message).catch(() => channel.nack(message));
  });
  return {
    async close() {
      await connection.close();
      transport.close();
    },
  };
}
