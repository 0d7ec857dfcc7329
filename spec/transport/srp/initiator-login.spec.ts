/** How an initiator port comes up: every element and byte until it is logged in, and every way not to (LoPAR virtual SCSI; SRP r16a 6.3 to 6.5). */
import { strict as assert } from 'node:assert';
import type { InitiatorPortOptions } from '../../../src/transport/srp/initiator-port.ts';
import { address, command, ScriptedTarget, tagOf, vector } from '../../support/scripted-target.ts';

describe('SRP initiator login', () => {
  const rigs: ScriptedTarget[] = [];
  const rig = (options: Partial<InitiatorPortOptions> = {}): ScriptedTarget => {
    const made = new ScriptedTarget(options);
    rigs.push(made);
    return made;
  };
  afterEach(() => {
    for (const made of rigs.splice(0)) made.loopback.close();
  });

  it('initialization, ADAPTER_INFO, CAPABILITIES, two EMPTY_IUs, LOGIN_REQ, in this order', () => {
    const r = rig({ multiChannel: true });
    r.port.start();
    r.take();
    assert.deepEqual([r.element.valid, r.element.format], [0xc0, 0x01]);
    r.loopback.target.send(0xc0, 0x02, 0, 0, 0, 0, 0);
    r.port.poll(8);

    const info = r.take();
    assert.equal(r.element.format, 2);
    const at = r.element.low;
    const address64 = address(at + 64);
    assert.equal(info, vector('M01', { 8: tagOf(info), 16: address64 }));
    const payload = Buffer.from(r.view.subarray(at + 64, at + 64 + 148)).toString('hex');
    assert.equal(payload, vector('M02', { 104: '00000000' }));
    r.answerMad(0, Buffer.from(vector('M03'), 'hex'));
    assert.equal(r.port.login.adapter?.partitionName, 'vdisk-target');
    assert.equal(r.port.login.adapter.maxTransferBytes, 0x100000);

    const capabilities = r.take();
    assert.equal(capabilities, vector('M05', { 8: tagOf(capabilities), 16: address64 }));
    r.answerMad(0x00f1);
    assert.equal(r.port.login.capabilities, false);

    for (let i = 0; i < 2; i += 1) {
      const mad = r.take();
      assert.equal(mad.slice(0, 8), '00000001');
      assert.equal(mad.length, 2 * 28);
      assert.equal(Number.parseInt(mad.slice(12, 16), 16), 512 - 64);
    }

    const login = r.take();
    assert.equal(r.element.format, 1);
    assert.equal(
      login,
      `0000000000000000${tagOf(login)}000002000000000000067100000000000000000000000001` +
        '0002c90300a1b2c30002c90300a1b2c00002c90300a1b2c0',
    );
    r.answer(vector('V07', { 16: '00000200' }));
    assert.deepEqual(r.happened, ['open']);
    assert.equal(r.port.requestLimit, 64);
    assert.equal(r.port.login.multiChannelResult, 1);
  });

  it('a target that opens first gets its answer', () => {
    const r = rig();
    r.port.start();
    r.take();
    r.loopback.target.send(0xc0, 0x01, 0, 0, 0, 0, 0);
    r.port.poll(8);
    r.take();
    assert.deepEqual([r.element.valid, r.element.format], [0xc0, 0x02]);
  });

  it('goes on when the target does not know the MADs', () => {
    const r = rig();
    r.port.start();
    r.take();
    r.loopback.target.send(0xc0, 0x02, 0, 0, 0, 0, 0);
    r.port.poll(8);
    r.take();
    r.answerMad(0x00f1);
    r.take();
    r.answerMad(0x00f1);
    assert.equal(r.port.login.adapter, null);
    r.take();
    r.take();
    assert.equal(r.take().slice(0, 2), '00');
  });

  for (const [id, words] of [
    ['V08', 'refused 10002 the requested IU length is too large'],
    ['V09', 'refused 10004 a required buffer descriptor format is not supported'],
    ['V10', 'refused 10005 the target does not support several channels'],
  ] as const) {
    it(`${id} is a refusal in words`, () => {
      const r = rig();
      r.port.start();
      r.take();
      r.loopback.target.send(0xc0, 0x02, 0, 0, 0, 0, 0);
      r.port.poll(8);
      r.take();
      r.answerMad(0);
      r.take();
      r.answerMad(0);
      r.take();
      r.take();
      r.take();
      r.answer(vector(id));
      assert.deepEqual(r.happened, [words]);
      assert.equal(r.port.submit(command('000000000000')), false);
    });
  }
});
