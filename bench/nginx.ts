/** nginx as a peer, and as the servers behind a proxy. */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import type { Place } from './benchmark.ts';
import { type Peer, startPeer } from './peer.ts';

/** Starts it with one worker and these `server` blocks. @throws MissingPackage */
export async function startNginx(place: Place, servers: string, ports: readonly number[]): Promise<Peer> {
  const nginx = place.programs.find('nginx', 'nginx-light');
  const folder = `${place.folder}/nginx`;
  await mkdir(folder);
  // Started by root, its worker is nobody and has to get through to what it serves.
  await chmod(place.folder, 0o755);
  await writeFile(
    `${folder}/nginx.conf`,
    `worker_processes 1;
daemon off;
pid ${folder}/pid;
error_log stderr;
events { worker_connections 1024; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
  client_max_body_size 64m;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  ${servers}
}
`,
  );
  const peer = startPeer(place, nginx, ['-e', 'stderr', '-c', `${folder}/nginx.conf`, '-p', folder]);
  for (const port of ports) await peer.untilListening(port);
  return peer;
}

export async function nginxVersion(place: Place): Promise<string> {
  const output = await place.programs.run(place.programs.find('nginx', 'nginx-light'), ['-v']);
  return /nginx\/[\d.]+/.exec(output)?.[0] ?? 'nginx';
}
