/**
 * The connection strings of a running Octet, under the names that applications already read.
 */
import type { Endpoint } from '../core/net/network.ts';
import type { OctetConfig, ServiceName } from './config.ts';

export type OctetEnv = Readonly<Record<string, string>>;

/** Endpoints of what runs, by service and role; the API has one service per instance. */
export type Endpoints = ReadonlyMap<string, Readonly<Record<string, Endpoint>>>;

/** Every address of the machine: one listens there, but connects to one of them. */
const WILDCARDS: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

/** `host:port` to connect to from this machine, with brackets around IPv6. */
export function hostPort({ address, port }: Endpoint): string {
  const to = WILDCARDS[address] ?? address;
  return to.includes(':') ? `[${to}]:${port}` : `${to}:${port}`;
}

function credentials(user: string, password: string): string {
  return `${encodeURIComponent(user)}:${encodeURIComponent(password)}`;
}

type UrlMaker = (config: OctetConfig, at: string, endpoints: Readonly<Record<string, Endpoint>>) => OctetEnv;

const makers: Readonly<Record<ServiceName, UrlMaker>> = {
  dns: (_config, at) => ({ DNS_SERVER: at }),
  database: ({ database }, at) => ({
    DATABASE_URL: `postgres://${credentials(database.user, database.password)}@${at}/${encodeURIComponent(database.database)}`,
  }),
  cache: ({ cache }, at) => ({
    // With the user's name, for redis-cli sends an empty one otherwise.
    REDIS_URL:
      cache.password === '' ? `redis://${at}` : `redis://${credentials('default', cache.password)}@${at}`,
  }),
  queue: ({ queue }, at) => ({ AMQP_URL: `amqp://${credentials(queue.user, queue.password)}@${at}` }),
  objects: ({ objects }, at) => ({
    AWS_ENDPOINT_URL_S3: `http://${at}`,
    AWS_ACCESS_KEY_ID: objects.accessKeyId,
    AWS_SECRET_ACCESS_KEY: objects.secretAccessKey,
    AWS_REGION: objects.region,
  }),
  mail: ({ mail }, at, endpoints) => ({
    SMTP_URL: `smtp://${credentials(mail.user, mail.password)}@${at}`,
    ...(endpoints['http'] === undefined ? {} : { MAIL_URL: `http://${hostPort(endpoints['http'])}` }),
  }),
  api: (_config, at) => ({ API_URL: `http://${at}` }),
  balancer: (_config, at) => ({ BALANCER_URL: `http://${at}` }),
  console: (_config, at) => ({ CONSOLE_URL: `http://${at}` }),
};

/** The variables of one service, or none when it does not run. */
export function serviceEnv(service: ServiceName, config: OctetConfig, endpoints: Endpoints): OctetEnv {
  const own = endpoints.get(service === 'api' ? 'api-1' : service);
  const main = own?.['main'];
  return own === undefined || main === undefined ? {} : makers[service](config, hostPort(main), own);
}
