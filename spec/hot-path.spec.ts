/** The hot path allocates nothing (spec/hot-path/measure.ts). */
import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Garbage } from './hot-path/measure.ts';

const MEASURE = fileURLToPath(new URL('./hot-path/measure.js', import.meta.url));

interface Report {
  readonly commands: number;
  readonly noiseBytes: number;
  readonly found: Readonly<Record<string, Garbage>>;
}

describe('hot path', function () {
  this.timeout(60_000);
  let report: Report;

  before(() => {
    const out = execFileSync(process.execPath, ['--expose-gc', MEASURE], { encoding: 'utf8' });
    report = JSON.parse(out) as Report;
  });

  const of = (name: string): Garbage => {
    const garbage = report.found[name];
    assert.ok(garbage, name);
    return garbage;
  };

  for (const name of [
    'READ(10) by ring',
    'WRITE(10) by ring',
    'READ(10) by vhost',
    'WRITE(10) by vhost',
  ]) {
    it(`200 000 ${name} of 4 KiB leave no garbage`, () => {
      const { good, collections, bytes } = of(name);
      assert.equal(good, report.commands);
      assert.equal(report.commands, 200_000);
      assert.equal(collections, 0);
      assert.ok(bytes < report.noiseBytes, `the heap grew by ${bytes} bytes`);
    });
  }

  it('one object for each command would not go unseen', () => {
    const { collections, bytes } = of('garbage');
    assert.ok(collections > 0 || bytes > report.noiseBytes);
  });
});
