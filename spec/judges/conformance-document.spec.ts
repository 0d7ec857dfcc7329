/** The committed conformance document is what the tables say today. */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { conformanceDocument, DOCUMENT } from './conformance-document.ts';

describe('docs/conformance.md', () => {
  it('is up to date (npm run docs:conformance)', () => {
    assert.equal(readFileSync(DOCUMENT, 'utf8'), conformanceDocument());
  });
});
