/** Verbs that go on until somebody interrupts them. */

/** Does `work`, which ends when `interrupted` resolves: at the first SIGINT or SIGTERM, which ends the process no more. */
export async function untilInterrupted<T>(
  work: (interrupted: Promise<void>) => Promise<T>,
): Promise<T> {
  let onSignal = (): void => undefined;
  const interrupted = new Promise<void>((resolve) => {
    onSignal = () => resolve();
  });
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  try {
    return await work(interrupted);
  } finally {
    process.removeListener('SIGINT', onSignal);
    process.removeListener('SIGTERM', onSignal);
  }
}
