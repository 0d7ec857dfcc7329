#!/usr/bin/env node
/** The process of the command `ringscsi`. */
import { runCommand } from './command.ts';
import { FAILED } from './verb.ts';

// Whoever reads the output may have seen enough (`| head`), and nobody may be there to read complaints.
process.stdout.on('error', () => process.exit(FAILED));
process.stderr.on('error', () => undefined);

const exitCode = await runCommand(process.argv.slice(2), {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  columns: () => (process.stdout.isTTY ? process.stdout.columns || 80 : null),
});
process.stdout.write('', () => process.exit(exitCode));
