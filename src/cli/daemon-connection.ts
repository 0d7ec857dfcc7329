/** The control connection of the verbs that talk to a running daemon. */
import { ControlClient } from '../transport/control/client.ts';
import { type Arguments, type OptionShape, UsageError } from './verb.ts';

export const CONTROL_OPTION: Readonly<Record<string, OptionShape>> = {
  control: { type: 'string' },
};

export const CONTROL_HELP =
  '  --control SOCK   control socket of the daemon (else $RINGSCSI_CONTROL)';

function controlPath(args: Arguments): string {
  const path = args.text('control') ?? process.env['RINGSCSI_CONTROL'] ?? '';
  if (path !== '') return path;
  throw new UsageError('--control SOCK is missing, and RINGSCSI_CONTROL is not set');
}

/** Connects to the daemon the arguments name, runs `work`, and disconnects. Throws ControlError, RefusedError. */
export async function withDaemon<T>(
  args: Arguments,
  work: (daemon: ControlClient) => Promise<T>,
  onEvent?: (event: string, value: unknown) => void,
): Promise<T> {
  const path = controlPath(args);
  const daemon = await ControlClient.connect({
    path,
    ...(onEvent === undefined ? {} : { onEvent }),
  });
  try {
    return await work(daemon);
  } finally {
    daemon.close();
  }
}
