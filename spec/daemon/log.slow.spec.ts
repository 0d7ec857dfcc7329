/** The log (F17): standard error closed, full, slow, a socket, a full disk; nobody waits and nobody dies. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DescriptorLog } from '../../src/daemon/log.ts';

const LOG = fileURLToPath(new URL('../../src/daemon/log.js', import.meta.url));

/** Writes 20 000 lines and says on standard output how long the longest took. */
const WRITER = `
  const { DescriptorLog } = await import(process.argv[1]);
  const log = new DescriptorLog('text');
  let worst = 0;
  for (let i = 0; i < 20000; i++) {
    const before = performance.now();
    log.write('info', 'line ' + i + ' ' + 'x'.repeat(80));
    worst = Math.max(worst, performance.now() - before);
  }
  await new Promise((resolve) => setTimeout(resolve, 50));
  console.log(JSON.stringify({ worst, dropped: log.dropped }));
  log.close();
  process.exit(0);
`;

interface Report {
  readonly worst: number;
  readonly dropped: number;
}

/** Runs the writer in a shell that does something to its standard error. WRITER in it is the call; 3 is our end. */
async function run(script: string): Promise<Report> {
  const writer = '"$0" --input-type=module -e "$1" "$2"';
  const command = `exec 3>&1; ${script.replace('WRITER', writer)}`;
  const child = spawn('sh', ['-c', command, process.execPath, WRITER, LOG], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let out = '';
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  await once(child, 'close');
  assert.match(out, /^\{.*\}\n$/, 'the writer came to its end');
  return JSON.parse(out);
}

describe('log (F17)', function () {
  this.timeout(20_000);
  this.slow(3000);
  let directory = '';
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'ringscsi-log-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('writes one line each, time, level, text; line breaks do not get through', () => {
    const path = join(directory, 'log');
    const fd = openSync(path, 'w');
    const log = new DescriptorLog('text', fd);
    log.write('info', 'first');
    log.write('error', 'several\n  lines\n');
    log.close();
    closeSync(fd);
    const lines = readFileSync(path, 'utf8').split('\n');
    assert.match(lines[0] ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info first$/);
    assert.match(lines[1] ?? '', /Z error several \| lines \| ?$/);
    assert.equal(lines.length, 3);
  });

  it('writes objects with --log json', () => {
    const path = join(directory, 'log');
    const fd = openSync(path, 'w');
    const log = new DescriptorLog('json', fd);
    log.write('warn', 'a "quoted"\nline');
    log.close();
    closeSync(fd);
    const line = JSON.parse(readFileSync(path, 'utf8'));
    assert.equal(line.level, 'warn');
    assert.equal(line.text, 'a "quoted"\nline');
    assert.ok(!Number.isNaN(Date.parse(line.time)));
  });

  const cases: readonly (readonly [string, string, boolean])[] = [
    ['a pipe that nobody reads', 'WRITER 2>&1 >&3 3>&- | sleep 1', true],
    ['a pipe whose reader is gone', 'WRITER 2>&1 >&3 3>&- | true', true],
    ['a full disk', 'WRITER 2>/dev/full', true],
    ['nothing: standard error is closed', 'WRITER 2>&-', false],
  ];
  for (const [name, script, loses] of cases) {
    it(`never waits for ${name}`, async () => {
      const report = await run(script);
      assert.ok(report.worst < 500, `${report.worst} ms for a line`);
      assert.equal(report.dropped > 0, loses, `${report.dropped} lines lost`);
    });
  }

  it('keeps every line in a file', async () => {
    const path = join(directory, 'log');
    await run(`WRITER 2>"${path}"`);
    assert.equal(readFileSync(path, 'utf8').split('\n').length, 20_001);
  });

  it('never waits for a socket, as service managers connect it', async () => {
    // Node connects the pipes of its children by socket pairs; nobody reads this one.
    const child = spawn(process.execPath, ['--input-type=module', '-e', WRITER, LOG], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stderr.pause();
    let out = '';
    child.stdout.on('data', (chunk) => {
      out += chunk;
    });
    await once(child.stdout, 'end');
    child.stderr.destroy();
    const report: Report = JSON.parse(out);
    assert.ok(report.worst < 500, `${report.worst} ms for a line`);
    assert.ok(report.dropped > 0);
  });
});
