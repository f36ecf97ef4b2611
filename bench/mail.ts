import { type Benchmark, both, type Contest, type Place } from './benchmark.ts';
import { calibrated } from './calibrated.ts';
import { freePort, startOurs, startPeer } from './peer.ts';
import { processCpuMicros } from './process-cpu.ts';

const SESSIONS = 20;
const MESSAGE_BYTES = 4_096;
const BACKLOG = 128;

export const mail: Benchmark = {
  name: 'mail',
  compared: `messages of ${MESSAGE_BYTES} bytes by smtp-source in ${SESSIONS} sessions kept open; ours has each on disk before its 250, Postfix's smtp-sink discards them and so sets the bar of the protocol alone`,
  prepare,
};

async function prepare(place: Place): Promise<Contest> {
  const source = place.programs.find('smtp-source', 'postfix');
  const sink = place.programs.find('smtp-sink', 'postfix');
  const octet = await startOurs(place, 'mail', {
    mail: { port: 0, httpPort: 0, domains: ['bench.test'], startTls: false },
  });
  const port = await freePort();
  const asUser = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  const peer = startPeer(place, sink, [...asUser, `127.0.0.1:${port}`, String(BACKLOG)]);
  await peer.untilListening(port);

  const ports = { ours: Number(new URL(octet.env['SMTP_URL'] ?? '').port), peer: port };
  const load = (at: number) => {
    const args = ['-d', '-s', String(SESSIONS), '-l', String(MESSAGE_BYTES)];
    const all = [...args, '-f', 'load@bench.test', '-t', 'inbox@bench.test'];
    return calibrated(async (count) => {
      await place.programs.run(source, [...all, '-m', String(count), `127.0.0.1:${at}`]);
      return { operations: count };
    });
  };
  return {
    peer: 'smtp-sink of Postfix',
    cpu: { ours: () => processCpuMicros(octet.pid), peer: peer.cpuMicros },
    workloads: [both('durable-beside-discarded', 'message', ports, load)],
  };
}
