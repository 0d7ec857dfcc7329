/** Exit codes and messages of the command: 0 done, 1 refused or failed, 2 wrong usage; results alone on standard output. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from '../../src/cli/command.ts';
import { type Outcome, ringscsi } from './command.ts';

/** The command without a process of its own. */
async function inProcess(...words: readonly string[]): Promise<Outcome> {
  let out = '';
  let err = '';
  const code = await runCommand(words, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
  });
  return { code, out, err };
}

const VERBS = ['serve', 'exec', 'lun', 'media', 'library', 'guest', 'stats', 'trace', 'inject'];

describe('command: usage', function () {
  this.timeout(20_000);
  this.slow(500);
  const home = process.cwd();
  let directory = '';
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'ringscsi-usage-'));
    writeFileSync(join(directory, 'bad.json'), '{"luns":[{"lun":0,"type":"disk","pth":"a"}]}');
    writeFileSync(join(directory, 'odd.img'), Buffer.alloc(2047));
    writeFileSync(join(directory, 'text'), 'this is no trace\n');
    process.chdir(directory);
  });
  after(() => {
    process.chdir(home);
    rmSync(directory, { recursive: true });
  });

  it('prints an overview that names every verb', async () => {
    const { code, out, err } = await ringscsi(directory, '--help');
    assert.equal(code, 0);
    assert.equal(err, '');
    for (const verb of VERBS) assert.match(out, new RegExp(`^  ${verb} `, 'm'));
  });

  it('prints the help of every verb', async () => {
    const outcomes = await Promise.all(VERBS.map((verb) => inProcess(verb, '--help')));
    outcomes.forEach(({ code, out, err }, i) => {
      assert.equal(code, 0, VERBS[i]);
      assert.ok(out.startsWith(`ringscsi ${VERBS[i]} `), out);
      assert.ok(out.includes('--json'), VERBS[i]);
      assert.equal(err, '', VERBS[i]);
    });
  });

  const wrong: readonly (readonly [string[], RegExp])[] = [
    [[], /a verb is missing/],
    [
      ['bench'],
      /unknown verb "bench"\. Known: serve, exec, lun, media, library, guest, stats, trace, inject/,
    ],
    [['sevre'], /unknown verb "sevre", did you mean "serve"\?/],
    [['serve'], /nobody could reach the daemon: give it --listen, --control, or both/],
    [['serve', '--lnu', '0:disk'], /unknown option "--lnu", did you mean "--lun"\?/],
    [['serve', '--lun'], /argument missing/],
    [['serve', '--control', 'c', 'x'], /"x" is one argument too many/],
    [['serve', '--control', 'c', '--log', 'xml'], /--log is "xml", text or json is possible/],
    [
      ['serve', '--control', 'c', '--lun', '0:disk,memory=1M', '--lun', '0:disk,memory=2M'],
      /^ringscsi: Cannot configure LUN 0: it is there twice, give one of them another number$/m,
    ],
    [
      ['serve', '--config', 'bad.json'],
      /Cannot configure LUN 0: unknown key "pth", did you mean "path"\?/,
    ],
    [
      ['serve', '--control', 'c', '--lun', '0:writer'],
      /unknown device type "writer"\. Known: disk, cdrom, burner/,
    ],
    [
      ['serve', '--control', 'c', '--lun', '0:cdrom,size=1G'],
      /unknown key "size"\. Known: path, serial/,
    ],
    [
      ['serve', '--control', 'c', '--lun', '0:burner,media=cd-r'],
      /media goes with path=FILE, where the blank medium is kept/,
    ],
    [['exec', '--cdb', '00'], /--connect is missing/],
    [['exec', '--connect', 'srp:x'], /--cdb is missing/],
    [['exec', '--connect', 'srp:x', '--cdb', '12 0'], /pairs of hexadecimal digits are needed/],
    [['exec', '--connect', 'srp:x', '--cdb', '12 00'], /--cdb has 2 bytes, 6 to 268 are possible/],
    [
      ['exec', '--connect', 'srp:x', '--cdb', '000000000000', '--attribute', 'fast'],
      /--attribute is "fast", one of simple, ordered, head, aca is needed/,
    ],
    [['lun'], /one of activate, add, list, remove, resize, standby is missing/],
    [['lun', 'lst'], /unknown action "lst", did you mean "list"\?/],
    [['lun', 'list'], /--control SOCK is missing, and RINGSCSI_CONTROL is not set/],
    [['lun', 'add', '--control', 'c'], /SPEC is missing/],
    [['lun', 'add', '0:disk', '--control', 'c'], /a disk needs either path=FILE or memory=SIZE/],
    [['lun', 'resize', '0', '--control', 'c'], /SIZE is missing/],
    [['media'], /one of eject, export, list, load, lock, new, unlock is missing/],
    [['media', 'load', '--control', 'c'], /N is missing/],
    [['media', 'load', '0', 'a', 'b', '--control', 'c'], /"b" is one argument too many/],
    [['media', 'eject', 'x', '--control', 'c'], /LUN is "x", 0 to 16383 is possible/],
    [['media', 'lock', '--control', 'c'], /N is missing/],
    [['media', 'new', 'cd-r'], /FILE is missing/],
    [
      ['media', 'new', 'cdr', 'f'],
      /unknown medium "cdr", did you mean "cd-r"\? Known: cd-r, cd-rw/,
    ],
    [['media', 'export', 'f'], /one of --iso, --cue, --toc and --verify is missing/],
    [['library'], /one of add, export, list, remove is missing/],
    [['library', 'lst'], /unknown action "lst", did you mean "list"\?/],
    [['library', 'add', '--control', 'c'], /FILE is missing/],
    [['library', 'list'], /--control SOCK is missing, and RINGSCSI_CONTROL is not set/],
    [['library', 'remove', 'a', 'b', '--control', 'c'], /"b" is one argument too many/],
    [['library', 'export', 'a', '--control', 'c'], /one of --iso, --cue, --toc and --verify is/],
    [['guest', 'kick', 'x', '--control', 'c'], /"x" is no guest ID/],
    [['stats', '--interval', '0', '--control', 'c'], /--interval is "0", a number from 1/],
    [['trace', '--control', 'c'], /one of --follow, --save and --show is needed/],
    [['trace', '--follow', '--show', 'f'], /one of --follow, --save and --show is needed/],
    [['inject', 'set', '--lun', '0', '--control', 'c'], /--rule is missing/],
    [
      ['inject', 'set', '--lun', '0', '--rule', 'read,lba=x,fault=full'],
      /lba is "x", a number is needed/,
    ],
    [
      ['inject', 'set', '--lun', '0', '--rule', 'read,fualt=full'],
      /unknown key "fualt", did you mean "fault"/,
    ],
  ];
  for (const [words, message] of wrong) {
    it(`exits with 2: ringscsi ${words.join(' ')}`, async () => {
      const { code, out, err } = await inProcess(...words);
      assert.equal(code, 2, err);
      assert.equal(out, '', 'standard output is for results');
      assert.match(err, message);
    });
  }

  const failed: readonly (readonly [string[], RegExp])[] = [
    [
      ['lun', 'list', '--control', 'none.sock'],
      /Cannot connect to control socket "none.sock": no daemon listens there/,
    ],
    [['exec', '--connect', 'srp:none.sock', '--cdb', '000000000000'], /none\.sock/],
    [
      ['serve', '--control', 'c.sock', '--lun', '3:disk,path=odd.img'],
      /Cannot attach LUN 3: ".*odd\.img" is 2047 bytes, a disk image needs a multiple of 512/,
    ],
    [['trace', '--show', 'text'], /Cannot show "text": /],
    [['trace', '--show', 'none'], /ENOENT/],
  ];
  for (const [words, message] of failed) {
    it(`exits with 1: ringscsi ${words.join(' ')}`, async () => {
      const { code, out, err } = await ringscsi(directory, ...words);
      assert.equal(code, 1, err);
      assert.equal(out, '');
      assert.match(err, message);
    });
  }

  it('complains in JSON with --json', async () => {
    const { code, out, err } = await ringscsi(directory, 'lun', 'lst', '--json');
    assert.equal(code, 2);
    assert.equal(out, '');
    assert.equal(JSON.parse(err).error.code, 'ERR_USAGE');
  });
});
