import type { Client } from './client.ts';

export const psql: Client = {
  name: 'psql',
  packages: ['postgresql-client'],
  probe: ['psql', '--version'],
  services: ['database'],
  checks: {},
};
