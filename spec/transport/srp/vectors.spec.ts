import { strict as assert } from 'node:assert';
import { VECTORS } from './raw-guest.ts';
import { COMMAND_REACTIONS } from './reactions-command.ts';
import { CRQ_REACTIONS } from './reactions-crq.ts';
import { LOGIN_REACTIONS, type Reactions } from './reactions-login.ts';

const REACTIONS: Reactions = { ...LOGIN_REACTIONS, ...COMMAND_REACTIONS, ...CRQ_REACTIONS };

describe('SRP target port: the reaction to every vector', () => {
  for (const { id, name } of VECTORS) {
    const reaction = REACTIONS[id];
    it(`${id} ${name}: ${reaction?.says}`, () => {
      assert(reaction, `${id} has a reaction`);
      reaction.run();
    });
  }

  it('every reaction belongs to a vector, and there are 82', () => {
    assert.deepEqual(Object.keys(REACTIONS).sort(), VECTORS.map((v) => v.id).sort());
    assert.equal(VECTORS.length, 82);
  });
});
