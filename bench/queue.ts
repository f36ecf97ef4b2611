import { mkdir, writeFile } from 'node:fs/promises';
import amqp from 'amqplib';
import { type Benchmark, both, type Contest, type Load, type Place } from './benchmark.ts';
import { freePort, type Peer, startOurs, startPeer } from './peer.ts';
import { processCpuMicros } from './process-cpu.ts';

const QUEUE = 'bench';
const BODY = Buffer.alloc(1_024, 'x');
/** Published and not yet confirmed; delivered and not yet acknowledged. */
const WINDOW = 200;
const ROUND_MS = 700;
const CONSUMED_PER_ROUND = 8_000;

export const queue: Benchmark = {
  name: 'queue',
  compared: `persistent messages of ${BODY.length} bytes through one durable queue by amqplib, ${WINDOW} unconfirmed, beside a classic queue of RabbitMQ`,
  prepare,
};

async function prepare(place: Place): Promise<Contest> {
  const rabbit = await startRabbit(place);
  const octet = await startOurs(place, 'queue', { queue: { port: 0, managementPort: 0 } });
  const sides = {
    ours: await connect(place, octet.env['AMQP_URL'] ?? ''),
    peer: await connect(place, `amqp://guest:guest@127.0.0.1:${rabbit.port}`),
  };
  return {
    peer: `RabbitMQ ${sides.peer.version}`,
    cpu: { ours: () => processCpuMicros(octet.pid), peer: rabbit.peer.cpuMicros },
    workloads: [
      both('publish-confirmed', 'message', sides, publishing),
      {
        ...both('consume-acknowledged', 'message', sides, consuming),
        before: { ours: filling(sides.ours), peer: filling(sides.peer) },
      },
    ],
  };
}

interface Side {
  readonly version: string;
  readonly model: amqp.ChannelModel;
  /** Waiting in the queue, as far as this load put them there. */
  depth: number;
}

async function connect(place: Place, url: string): Promise<Side> {
  const model = await amqp.connect(url);
  place.stack.defer(() => model.close().catch(() => undefined));
  const setup = await model.createChannel();
  await setup.assertQueue(QUEUE, { durable: true });
  await setup.close();
  return { version: model.connection.serverProperties.version, model, depth: 0 };
}

/** Publishes until the round is over and everything is confirmed. */
function publishing(side: Side): Load {
  return async () => {
    const until = performance.now() + ROUND_MS;
    return { operations: await publish(side, () => performance.now() < until) };
  };
}

/** Publishes while `more`, `WINDOW` at once. @returns how many were confirmed */
async function publish(side: Side, more: () => boolean): Promise<number> {
  const channel = await side.model.createConfirmChannel();
  let confirmed = 0;
  const publisher = async (): Promise<void> => {
    while (more()) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      channel.sendToQueue(QUEUE, BODY, { persistent: true }, (refused) =>
        refused ? reject(refused) : resolve(),
      );
      await promise;
      confirmed++;
    }
  };
  await Promise.all(Array.from({ length: WINDOW }, publisher));
  await channel.close();
  side.depth += confirmed;
  return confirmed;
}

/** Sees to it that a round of consuming finds its messages. */
function filling(side: Side): () => Promise<void> {
  return async () => {
    let missing = CONSUMED_PER_ROUND - side.depth;
    await publish(side, () => missing-- > 0);
  };
}

/** Takes and acknowledges one round's messages. */
function consuming(side: Side): Load {
  return async () => {
    const channel = await side.model.createChannel();
    await channel.prefetch(WINDOW);
    const { promise: done, resolve, reject } = Promise.withResolvers<void>();
    let operations = 0;
    await channel.consume(QUEUE, (message) => {
      if (message === null) return reject(new Error('the server cancelled the consumer'));
      if (operations === CONSUMED_PER_ROUND) return;
      channel.ack(message);
      operations++;
      if (operations === CONSUMED_PER_ROUND) resolve();
    });
    await done;
    // What was delivered beyond goes back to the queue with the channel.
    await channel.close();
    side.depth -= operations;
    return { operations };
  };
}

/** Starts a node with nothing but itself: its own name server of the distribution, its own folders. */
async function startRabbit(place: Place): Promise<{ peer: Peer; port: number }> {
  const server = place.programs.find('rabbitmq-server', 'rabbitmq-server', '/usr/lib/rabbitmq/bin');
  const epmd = place.programs.find('epmd', 'erlang-base');
  const folder = `${place.folder}/rabbit`;
  await mkdir(folder);
  await writeFile(`${folder}/plugins`, '[].\n');
  const [epmdPort, port, distributionPort] = [await freePort(), await freePort(), await freePort()];
  const env = {
    HOME: folder,
    ERL_EPMD_PORT: String(epmdPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_NODENAME: 'bench@localhost',
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(distributionPort),
    RABBITMQ_CONF_ENV_FILE: `${folder}/rabbitmq-env.conf`,
    RABBITMQ_CONFIG_FILE: `${folder}/rabbitmq`,
    RABBITMQ_ENABLED_PLUGINS_FILE: `${folder}/plugins`,
    RABBITMQ_MNESIA_BASE: `${folder}/mnesia`,
    RABBITMQ_LOG_BASE: `${folder}/log`,
    RABBITMQ_PID_FILE: `${folder}/pid`,
  };
  const names = startPeer(place, epmd, ['-port', String(epmdPort), '-address', '127.0.0.1']);
  await names.untilListening(epmdPort);
  const peer = startPeer(place, server, [], { env });
  await peer.untilListening(port);
  return { peer, port };
}
