/** Commands that consist of subcommands: their HELP, and what they say without one. */
import { wrongArity } from '../../errors.ts';
import type { Command } from '../command.ts';

/** Adds HELP, made from the table, and the error for a container without a subcommand. */
export function container(command: Omit<Command, 'run'>): Command {
  const subcommands = [...(command.subcommands ?? [])];
  subcommands.push({
    name: `${command.name}|help`,
    arity: 2,
    flags: ['loading', 'stale'],
    group: command.group,
    since: command.since,
    summary: 'Returns helpful text about the subcommands.',
    run: ({ reply }) => {
      const lines = helpOf(command.name, subcommands);
      reply.array(lines.length);
      for (const line of lines) reply.simple(line);
    },
  });
  return {
    ...command,
    subcommands,
    run: () => {
      throw wrongArity(command.name);
    },
  };
}

function helpOf(name: string, subcommands: readonly Command[]): string[] {
  const lines = [`${name.toUpperCase()} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`];
  for (const subcommand of subcommands) {
    lines.push(subcommand.name.slice(name.length + 1).toUpperCase(), `    ${subcommand.summary}`);
  }
  return lines;
}
