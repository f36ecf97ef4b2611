/** Bugs that a service could have, planted around its store and its network. */
import type { Files, OpenFile } from '../../../src/core/files/files.ts';
import type { Host } from '../../../src/core/lifecycle.ts';
import type { Connection, ConnectionHandler, Network } from '../../../src/core/net/network.ts';
import type { ServiceCase } from './service-run.ts';

/** The same service, started on a host that deceives it. */
export function deceived(service: ServiceCase, deceive: (host: Host) => Host): ServiceCase {
  return {
    ...service,
    start: (world) => {
      const start = service.start(world);
      return (host) => start(deceive(host));
    },
  };
}

/** A sync says that it is done when it has only begun: a COMMIT is acknowledged before it is durable. */
export function acknowledgeEarly(host: Host): Host {
  return { ...host, files: withSync(host.files, (file) => void file.sync().catch(() => undefined)) };
}

/** No sync ever happens. */
export function neverSync(host: Host): Host {
  return { ...host, files: withSync(host.files, () => undefined) };
}

function withSync(files: Files, sync: (file: OpenFile) => void): Files {
  return withOpen(files, (file) => ({ ...forwarded(file), sync: async () => sync(file) }));
}

/** Files whose open files `change` makes. */
function withOpen(files: Files, change: (file: OpenFile) => OpenFile): Files {
  return new Proxy(files, {
    get(target, name) {
      if (name === 'open') {
        const open: Files['open'] = async (path, mode) => change(await target.open(path, mode));
        return open;
      }
      const member: unknown = Reflect.get(target, name);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}

function forwarded(file: OpenFile): OpenFile {
  return {
    path: file.path,
    size: () => file.size(),
    info: () => file.info(),
    read: (position, into) => file.read(position, into),
    readSync: (position, into) => file.readSync(position, into),
    write: (position, bytes) => file.write(position, bytes),
    writeSync: (position, bytes) => file.writeSync(position, bytes),
    sync: () => file.sync(),
    isQuick: false,
    writeThrough: (position, bytes) => file.writeThrough(position, bytes),
    truncate: (sizeBytes) => file.truncate(sizeBytes),
    close: () => file.close(),
  };
}

/** A timer that is set when a connection ends and never goes: what a service must not leave behind. */
export function leakTimers(host: Host): Host {
  return { ...host, network: withClose(host.network, () => void host.clock.schedule(1e9, () => undefined)) };
}

function withClose(network: Network, closed: () => void): Network {
  return {
    connect: (options) => network.connect(options),
    udp: (options) => network.udp(options),
    listen: (options, accept) =>
      network.listen(options, (connection) => accept(tellingClose(connection, closed))),
  };
}

function tellingClose(connection: Connection, closed: () => void): Connection {
  return new Proxy(connection, {
    get(target, name) {
      if (name === 'attach') {
        return (handler: ConnectionHandler) =>
          target.attach({
            ...bound(handler),
            close: (cause) => {
              closed();
              handler.close?.(cause);
            },
          });
      }
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}

function bound(handler: ConnectionHandler): ConnectionHandler {
  return {
    data: (chunk) => handler.data(chunk),
    ...(handler.end && { end: () => handler.end?.() }),
    drain: () => handler.drain?.(),
  };
}

/** A closing service that never ends. */
export function neverClose(service: ServiceCase): ServiceCase {
  return {
    ...service,
    start: (world) => {
      const start = service.start(world);
      return async (host) => {
        const running = await start(host);
        return new Proxy(running, {
          get: (target, name) => {
            if (name === 'close') return () => new Promise<void>(() => undefined);
            const member: unknown = Reflect.get(target, name, target);
            return typeof member === 'function' ? member.bind(target) : member;
          },
        });
      };
    },
  };
}
