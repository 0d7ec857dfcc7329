/** Which kernel modules a guest loads, in an order in which each finds what it needs. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/** `sd-mod.ko` and `sd_mod` are the same module. */
const moduleName = (path: string): string => basename(path, '.ko').replaceAll('-', '_');

function modulesBelow(folder: string, found: Map<string, string>): Map<string, string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) modulesBelow(path, found);
    else if (entry.name.endsWith('.ko')) found.set(moduleName(entry.name), path);
  }
  return found;
}

/** The section .modinfo has texts `key=value`, each ended by a zero byte. */
function dependencies(path: string): string[] {
  const content = readFileSync(path);
  const mark = Buffer.from('\0depends=');
  const at = content.indexOf(mark);
  if (at < 0) return [];
  const start = at + mark.length;
  const text = content.toString('latin1', start, content.indexOf(0, start));
  return text === '' ? [] : text.split(',').map(moduleName);
}

/** Paths of these modules and of all they need, in loading order. A module that is not there is built in. */
export function moduleOrder(folder: string, wanted: readonly string[]): string[] {
  const known = modulesBelow(join(folder, 'kernel'), new Map());
  const order: string[] = [];
  const visit = (name: string): void => {
    const path = known.get(name);
    if (path === undefined || order.includes(path)) return;
    for (const needed of dependencies(path)) visit(needed);
    order.push(path);
  };
  for (const name of wanted) visit(moduleName(name));
  return order;
}
