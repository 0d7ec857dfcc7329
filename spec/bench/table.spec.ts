/** The text table and the median that benchmark results are printed with. */
import assert from 'node:assert/strict';
import { median, table } from '../../bench/table.ts';

describe('benchmark table', () => {
  it('aligns the first two columns to the left and numbers to the right', () => {
    const text = table(
      ['what', 'system', 'IOPS'],
      [
        ['READ', 'srp', '7'],
        ['a long name', 'blkif', '12345'],
      ],
    );
    assert.deepEqual(text.split('\n'), [
      'what         system   IOPS',
      '-----------  ------  -----',
      'READ         srp         7',
      'a long name  blkif   12345',
    ]);
  });

  it('takes the middle, or the mean of the two in the middle', () => {
    assert.equal(median([9, 1, 10]), 9);
    assert.equal(median([4, 1, 100, 2]), 3);
    assert.equal(Number.isNaN(median([])), true);
  });
});
