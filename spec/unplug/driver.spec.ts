/** The guest's end of the unplug protocol: the same transcripts, played against the driver. */
import assert from 'node:assert/strict';
import { type DriverOptions, logToHost, unplugEmulated } from '../../src/unplug/driver.ts';
import { NO_DEVICE, type Ports, type Width } from '../../src/unplug/ports.ts';
import { type Access, isAccess, TRANSCRIPTS, type Transcript } from './transcripts.ts';

/** Ports that expect exactly the accesses of a transcript. */
class Replay implements Ports {
  readonly #steps: readonly Access[];
  #at = 0;

  constructor({ steps }: Transcript) {
    this.#steps = steps.filter(isAccess);
  }

  get rest(): number {
    return this.#steps.length - this.#at;
  }

  #next(dir: 'R' | 'W', port: number, width: Width): number {
    const step = this.#steps[this.#at];
    this.#at += 1;
    assert.ok(step !== undefined, `${dir}.${width} ${port.toString(16)} is one access too many`);
    const { dir: wanted, port: at, width: wide } = step;
    assert.deepEqual([dir, port.toString(16), width], [wanted, at, wide]);
    return Number.parseInt(step.value, 16);
  }

  read(port: number, width: Width): number {
    return this.#next('R', port, width);
  }

  write(port: number, width: Width, value: number): void {
    assert.equal(this.#next('W', port, width), value);
  }
}

const LINUX: DriverOptions = { product: 3, build: 1, mask: 3, versions: [1] };
const WINDOWS: DriverOptions = { product: 1, build: 0x1234, mask: 3 };

function transcript(id: string): Transcript {
  const found = TRANSCRIPTS.find((one) => one.id === id);
  assert.ok(found !== undefined);
  return found;
}

describe('unplug driver', () => {
  for (const [id, options, outcome] of [
    ['T1', LINUX, 'unplugged'],
    ['T2', WINDOWS, 'blacklisted'],
    ['T3', WINDOWS, 'unplugged'],
    ['T4', LINUX, 'absent'],
  ] as const) {
    it(`${id}: ${transcript(id).title}`, () => {
      const ports = new Replay(transcript(id));
      assert.equal(unplugEmulated(ports, options), outcome);
      assert.equal(ports.rest, 0);
    });
  }

  it('T3: a driver that takes version 1 only writes nothing', () => {
    const ports = new Replay(transcript('T3'));
    assert.equal(unplugEmulated(ports, LINUX), 'version');
    assert.equal(ports.rest, 1);
  });

  it('T6: a line of the log', () => {
    const ports = new Replay(transcript('T6'));
    logToHost(ports, 'hi');
    assert.equal(ports.rest, 0);
  });

  it('T14: a blacklisted driver may log', () => {
    const ports = new Replay(transcript('T14'));
    assert.equal(unplugEmulated(ports, WINDOWS), 'blacklisted');
    logToHost(ports, 'no');
    assert.equal(ports.rest, 0);
  });

  it('a magic that is blacklisted from the start is one', () => {
    const ports: Ports = { read: () => 0xd249, write: () => assert.fail('nothing is written') };
    assert.equal(unplugEmulated(ports, WINDOWS), 'blacklisted');
    assert.equal(NO_DEVICE.read(0x10, 'l'), 0xffffffff);
  });
});
