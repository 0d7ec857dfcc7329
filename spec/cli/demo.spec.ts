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
  'read a CD',
  'burn a CD-RW',
  'verify the burn',
  'eject',
  'swap discs',
  'statistics',
  'stop',
];

interface Line {
  readonly step: string;
  readonly ok: boolean;
  readonly error?: string;
  readonly processId?: number;
  readonly after?: string;
  readonly 'guest-1'?: Look;
  readonly 'guest-2'?: Look;
}

/** What a guest saw of a drive. */
interface Look {
  readonly attentions: readonly string[];
  readonly state: string;
  readonly events: readonly string[];
}

/** That as sense codes. */
function codes({ attentions, state, events }: Look): string {
  const code = (words: string): string => /\((.*)\)$/.exec(words)?.[1] ?? words;
  return [...attentions.map(code), code(state), ...events].join(' ');
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

  describe('--json', () => {
    let there: string[];
    let exitCode: number;
    let lines: Line[];
    const step = (name: string): Line | undefined => lines.find((line) => line.step === name);
    const seen = (name: string): string[] =>
      [step(name)?.['guest-1'], step(name)?.['guest-2']].map((look) => (look ? codes(look) : ''));
    before(async () => {
      there = leftovers();
      const ran = await demo('--json');
      exitCode = ran.exitCode;
      lines = ran.output
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Line);
    });

    it('one object per step, each ok', () => {
      assert.deepEqual(
        lines.filter(({ ok }) => !ok),
        [],
      );
      assert.deepEqual(
        lines.map((line) => line.step),
        STEPS,
      );
      assert.equal(exitCode, 0);
    });

    it('no process and no file stays', () => {
      assert.deepEqual(leftovers(), there);
      for (const { processId } of lines) {
        if (processId === undefined) continue;
        assert.throws(() => process.kill(processId, 0), { code: 'ESRCH' });
      }
    });

    it('the other guest is told of a burn, both of the eject and of the next disc', () => {
      assert.equal(step('burn a CD-RW')?.after, 'complete');
      const removed = '2/3A/02 MediaRemoval';
      const loaded = '6/28/00 GOOD NewMedia';
      assert.deepEqual(seen('verify the burn'), ['GOOD NewMedia', `6/2A/01 ${loaded}`]);
      assert.deepEqual(seen('eject'), [removed, removed]);
      assert.deepEqual(seen('swap discs'), [loaded, loaded]);
    });
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
