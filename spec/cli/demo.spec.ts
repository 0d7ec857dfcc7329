/** The demo: every step says ok, and nothing of it is left. */
import { strict as assert } from 'node:assert';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const DEMO = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'src', 'cli', 'demo.js');
const STEPS = [
  'daemon',
  'login',
  'adapter info',
  'inventory',
  'write and compare',
  'ordered write',
  'abort',
  'out of range',
  'reset',
  'hot add',
  'statistics',
  'stop',
];

interface Line {
  readonly step: string;
  readonly ok: boolean;
  readonly error?: string;
  readonly processId?: number;
}

async function demo(...args: readonly string[]): Promise<{ exitCode: number; output: string }> {
  return await run(args, process.env);
}

async function run(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<{ exitCode: number; output: string }> {
  const child = spawn(process.execPath, [DEMO, ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  const [exitCode] = (await once(child, 'close')) as [number];
  return { exitCode, output };
}

const leftovers = (): string[] =>
  readdirSync(tmpdir()).filter((name) => name.startsWith('ringscsi-demo-'));

describe('demo', function () {
  this.timeout(60_000);

  it('--json: one object per step, each ok; no process and no file stays', async () => {
    const before = leftovers();
    const { exitCode, output } = await demo('--json');
    const lines = output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Line);
    assert.deepEqual(
      lines.filter(({ ok }) => !ok),
      [],
    );
    assert.deepEqual(
      lines.map(({ step }) => step),
      STEPS,
    );
    assert.equal(exitCode, 0);
    assert.deepEqual(leftovers(), before);
    for (const { processId } of lines) {
      if (processId === undefined) continue;
      assert.throws(() => process.kill(processId, 0), { code: 'ESRCH' });
    }
  });

  it('--qemu says what is missing, with the line that installs it', async () => {
    const { exitCode, output } = await run(['--qemu'], { ...process.env, PATH: '/nonexistent' });
    assert.equal(exitCode, 1);
    if (process.arch !== 'x64') assert.match(output, /needs Linux on x86-64/);
    else assert.match(output, /apt-get install --no-install-recommends .*qemu-system-x86/);
  });

  it('wrong usage is exit code 2 and says how', async () => {
    const { exitCode, output } = await demo('--jason');
    assert.equal(exitCode, 2);
    assert.match(output, /--json/);
  });
});
