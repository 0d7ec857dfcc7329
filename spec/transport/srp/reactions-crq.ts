/** Reactions of the target to the CRQ, MAD, LUN and TransportID vectors. */
import { strict as assert } from 'node:assert';
import type { LunPresentation } from '../../../src/scsi/lun.ts';
import { encodeTransportId } from '../../../src/transport/srp/port-identifier.ts';
import { disk } from '../../support/target.ts';
import {
  bytes,
  command,
  hex,
  outcome,
  patched,
  RawGuest,
  VECTOR_REGIONS,
  vector,
} from './raw-guest.ts';
import { type Reactions, withGuest } from './reactions-login.ts';

/** The initiator sends this transport event in the middle of work; afterwards it comes back as after a nexus loss. */
function eventual(id: string): () => void {
  return () =>
    withGuest({}, (guest) => {
      const { channel, bed } = guest;
      channel.open();
      channel.clear('0000');
      bed.store.hold = true;
      const descriptors = '00000000 00200000 00000000 00000200';
      channel.send(command({ cdb: '28000000 00000000 0100', formats: '01', descriptors }));
      channel.element(vector(id));
      assert.equal(channel.port.loggedIn, false);
      bed.store.hold = false;
      bed.store.releaseAll();
      assert.deepEqual(channel.received(), []);
      channel.open();
      assert.equal(outcome(channel.ask(command())), '02 6/29/07');
    });
}

/** Sends a MAD at 20001000h with these payloads in place; returns the memory of the MAD and the element. */
function mad(
  id: string | Uint8Array,
  payloads: Readonly<Record<number, Uint8Array>>,
  check: (header: string, element: string, guest: RawGuest) => void,
  afterLogin = false,
): void {
  withGuest({ regions: VECTOR_REGIONS }, (guest) => {
    const { channel } = guest;
    channel.initialize();
    if (afterLogin) channel.ask(vector('V01'));
    for (const [at, payload] of Object.entries(payloads)) guest.put(Number(at), payload);
    const source = typeof id === 'string' ? vector(id) : id;
    channel.mad(source, 0x20001000);
    const [answer] = channel.received();
    check(hex(guest.at(0x20001000, source.length)), answer?.element ?? '', guest);
  });
}

/** TEST UNIT READY to this LUN field ends so; `luns` are the logical units there are. */
function addressed(id: string, presentation: LunPresentation, expected: string): () => void {
  return () => {
    const bed = disk({ lun: 0 });
    for (const lun of [1, 5, 300]) bed.add({ lun });
    const guest = new RawGuest(bed, { presentation });
    guest.channel.open();
    const send = (): string => outcome(guest.channel.ask(patched(command(), 20, hex(vector(id)))));
    let got = send();
    while (got.includes(' 6/')) got = send();
    guest.close();
    assert.equal(got, expected);
  };
}

const SERVED = '00';
const MISSING = '02 5/25/00';

export const CRQ_REACTIONS: Reactions = {
  C01: {
    says: 'answered with C02',
    run: () => withGuest({}, (guest) => guest.channel.initialize()),
  },
  C02: {
    says: 'emitted to C01; ignored when received',
    run: () =>
      withGuest({}, (guest) => {
        guest.channel.element(vector('C02'));
        assert.deepEqual(guest.channel.received(), []);
        guest.channel.open();
        guest.channel.element(vector('C02'));
        assert.deepEqual(guest.channel.received(), []);
        assert(guest.channel.port.loggedIn);
      }),
  },
  C06: {
    says: 'the MAD at 20001000h is served and answered under its tag',
    run: () => {
      withGuest({ regions: VECTOR_REGIONS }, (guest) => {
        guest.channel.initialize();
        guest.put(0x20001000, vector('M01'));
        guest.channel.element(vector('C06'));
        const [answer] = guest.channel.received();
        assert.equal(answer?.element, '80020000000000180000000000000d01');
      });
    },
  },
  C07: {
    says: 'answered with C08 in every state',
    run: () =>
      withGuest({}, (guest) => {
        const { channel } = guest;
        const ping = (): void => {
          channel.element(vector('C07'));
          assert.deepEqual(
            channel.received().map((r) => r.element),
            [hex(vector('C08'))],
          );
        };
        ping();
        channel.open();
        ping();
        channel.element('80ee0000 00000000 00000000 00000000');
        assert.equal(channel.received()[0]?.element.slice(0, 4), 'ff02');
        ping();
        channel.element('8006f500 00000000 00000000 00000000');
        assert.equal(channel.received()[0]?.element, hex(vector('C08')));
      }),
  },
  C08: {
    says: 'emitted to C07; ignored when received',
    run: () =>
      withGuest({}, (guest) => {
        guest.channel.open();
        guest.channel.element(vector('C08'));
        assert.deepEqual(guest.channel.received(), []);
        assert(guest.channel.port.loggedIn);
      }),
  },
  C09: { says: 'nexus loss; nothing is answered to it', run: eventual('C09') },
  C10: { says: 'nexus loss; nothing is answered to it', run: eventual('C10') },
  C11: { says: 'nexus loss; nothing is answered to it', run: eventual('C11') },
  M01: {
    says: 'answered with status 0 in a header otherwise unchanged',
    run: () =>
      mad('M01', { 536879104: vector('M02') }, (header, element) => {
        assert.equal(header, hex(vector('M01')));
        assert.equal(element, '80020000000000180000000000000d01');
      }),
  },
  M02: {
    says: 'understood: Linux with virtual SCSI addressing reads an underrun in the OVER bits',
    run: () =>
      mad('M01', { 536879104: vector('M02') }, (_header, _element, { channel }) => {
        channel.ask(vector('V01'));
        channel.clear('0000');
        const descriptors = '00000000 00200000 00000000 000000fc';
        const inquiry = command({ cdb: '12000000 2400', formats: '01', descriptors });
        assert.equal(hex(channel.ask(inquiry).subarray(18, 28)), '100000000000000000d8');
      }),
  },
  M03: {
    says: 'written over M02 byte for byte by a target of that name',
    run: () => {
      const bed = disk();
      Object.assign(bed.target, { name: 'vdisk-target' });
      const guest = new RawGuest(bed, { regions: VECTOR_REGIONS });
      guest.channel.initialize();
      guest.put(0x20002000, vector('M02'));
      guest.channel.mad(vector('M01'));
      assert.equal(hex(guest.at(0x20002000, 148)), hex(vector('M03')));
      guest.close();
    },
  },
  M04: {
    says: 'emitted to HOST_CONFIG (type 4; ADAPTER_INFO is supported here), and to a type nobody knows',
    run: () => {
      const request = patched(vector('M01'), 0, '00000004');
      mad(request, {}, (header) => {
        assert.equal(header.slice(0, 32), hex(patched(vector('M04'), 0, '00000004')));
      });
      mad(patched(request, 0, '12345678'), {}, (header) => {
        assert.equal(header.slice(8, 12), '00f1');
      });
    },
  },
  M05: {
    says: 'answered with status 0; 80 bytes are enough, 79 fail',
    run: () => {
      const payload = { 536883200: vector('M06') };
      mad('M05', payload, (header) => assert.equal(header, hex(vector('M05'))));
      mad(patched(vector('M05'), 6, '0050'), payload, (header, _element, guest) => {
        assert.equal(header.slice(8, 12), '0000');
        const reservation = guest.at(0x20003000 + 80, 12);
        assert.equal(hex(reservation), hex(vector('M06').subarray(80)));
      });
      mad(patched(vector('M05'), 6, '004f'), payload, (header) => {
        assert.equal(header.slice(8, 12), '00f7');
      });
    },
  },
  M06: {
    says: 'server_support of both blocks cleared, nothing else changed',
    run: () =>
      mad('M05', { 536883200: vector('M06') }, (_header, _element, guest) => {
        const expected = patched(vector('M06'), 74, '0000', 86, '0000');
        assert.equal(hex(guest.at(0x20003000, 92)), hex(expected));
      }),
  },
  M07: {
    says: 'status 0 before login, 00F7h after',
    run: () => {
      mad('M07', {}, (header) => assert.equal(header, hex(vector('M07'))));
      mad('M07', {}, (header) => assert.equal(header.slice(8, 12), '00f7'), true);
    },
  },
  M08: {
    says: 'held, answered only by the T_LOGOUT at close',
    run: () =>
      mad(
        'M08',
        {},
        (_header, element, guest) => {
          assert.equal(element, '');
          guest.channel.send(patched(command(), 0, '99'));
          const [logout] = guest.channel.received();
          assert.equal(logout?.element, '80010000000000100000000000000d04');
          assert.equal(hex(guest.at(0x20004000, 16)), '80000000000000020000000000000d04');
        },
        true,
      ),
  },
  M09: {
    says: 'status 0; the text is logged with what cannot be printed made dots',
    run: () => {
      const log = Buffer.alloc(128);
      log.write('client-7', 32);
      log.write('scsi\u001b[31m', 64);
      log.writeUInt32BE(0xbad, 24);
      log.writeUInt32BE(2, 100);
      log.write('lost\nhost', 104);
      mad('M09', { 536891392: log }, (header, _element, guest) => {
        assert.equal(header, hex(vector('M09')));
        assert.deepEqual(guest.lines, ['error badh of client-7 on scsi.[31m: lost.host']);
      });
    },
  },
  L01: { says: 'native: logical unit 5 is served', run: addressed('L01', 'native', SERVED) },
  L02: { says: 'native: logical unit 300 is served', run: addressed('L02', 'native', SERVED) },
  L03: {
    says: 'virtual SCSI: unit 1 is served; native: 5/25/00',
    run: () => {
      addressed('L03', 'vscsi', SERVED)();
      addressed('L03', 'native', MISSING)();
    },
  },
  L04: {
    says: 'bus 2 LUN 3 of a target is nobody here: 5/25/00',
    run: () => {
      addressed('L04', 'vscsi', MISSING)();
      addressed('L04', 'native', MISSING)();
    },
  },
  L05: {
    says: 'REPORT LUNS well-known unit is ready either way',
    run: () => {
      addressed('L05', 'native', SERVED)();
      addressed('L05', 'vscsi', SERVED)();
    },
  },
  L06: { says: 'no such unit: 5/25/00', run: addressed('L06', 'native', MISSING) },
  L07: { says: 'names no unit: 5/25/00', run: addressed('L07', 'native', MISSING) },
  L08: {
    says: 'extended flat LUN 040B03h: no such unit, 5/25/00',
    run: addressed('L08', 'native', MISSING),
  },
  P01: {
    says: 'the TransportID of the port that V03 logged in',
    run: () =>
      withGuest({}, (guest) => {
        guest.channel.open(vector('V03'));
        const [port] = guest.session.initiatorPorts();
        assert.equal(hex(encodeTransportId(port ?? '')), hex(vector('P01')));
        assert.equal(hex(bytes(port ?? '')), hex(vector('P01').subarray(8)));
      }),
  },
};
