/** `npm run demo -- --qemu`: the README's three lines with a real guest, every step checked. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { ROOT } from './support/places.ts';

describe('demo', () => {
  it('attaches a stock guest and ends with its own view', async () => {
    const script = join(ROOT, 'dist', 'src', 'cli', 'demo.js');
    const child = spawn(process.execPath, [script, '--qemu', '--json']);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        output += chunk.toString();
      });
    }
    const [code] = (await once(child, 'close')) as [number];
    assert.equal(code, 0, output);
    const lines = output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { step: string; ok: boolean; lsscsi?: string[] });
    assert.ok(lines.every(({ ok }) => ok));
    const view = lines.find(({ step }) => step === 'lsscsi')?.lsscsi ?? [];
    assert.equal(view.length, 2);
    assert.ok(view.every((line) => /disk +RINGSCSI +Virtual disk/.test(line)));
    assert.deepEqual(lines.map(({ step }) => step).slice(-4), [
      'checksums',
      'image',
      'hot add',
      'stop',
    ]);
  });
});
