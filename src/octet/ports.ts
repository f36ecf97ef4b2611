import { ConfigError } from '../core/config/config.ts';
import type { OctetConfig } from './config.ts';

const MAX_PORT = 65_535;

/**
 * A configured port with the offset; 0 stays 0, which lets the operating system choose.
 * @throws ConfigError when there is no such port
 */
export function portOf(config: OctetConfig, port: number): number {
  if (port === 0) return 0;
  const moved = port + config.portOffset;
  if (moved >= 1 && moved <= MAX_PORT) return moved;
  throw new ConfigError(
    `portOffset: ${config.portOffset} moves port ${port} to ${moved}; there are 1 to ${MAX_PORT}`,
  );
}
