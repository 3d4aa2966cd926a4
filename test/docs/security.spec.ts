/** The attack page: each line has its test, each test its line. */
import { readdirSync, readFileSync } from 'node:fs';

const root = new URL('../../', import.meta.url);
const read = (path: string): string =>
  readFileSync(new URL(path, root), 'utf8');

const rows = [
  ...read('docs/security.md').matchAll(
    /^\| ([^|]+?) +\| ([^|]+?) +\| \[`([\w.]+)`\]\(\.\.\/test\/security\/([\w.]+)\) +\|$/gm
  )
].map(([, attack, , name, file]) => {
  expect(name).toBe(file);
  return `${file}: ${attack}`;
});

const tests = readdirSync(new URL('test/security/', root))
  .filter(file => file.endsWith('.spec.ts'))
  .flatMap(file =>
    [
      ...read(`test/security/${file}`).matchAll(/^it\((?:'|")(.+)(?:'|"),/gm)
    ].map(([, title]) => `${file}: ${title}`)
  );

it('names every attack that is tested, and no other', () => {
  expect(tests.length).toBeGreaterThan(25);
  expect([...rows].sort()).toEqual([...tests].sort());
});

it('no test of an attack hides from that comparison', () => {
  for (const file of new Set(tests.map(test => test.split(':')[0]!))) {
    expect(
      read(`test/security/${file}`).match(/^\s*(?:it|test|describe)\s*[.(]/gm)
    ).toHaveLength(tests.filter(test => test.startsWith(`${file}:`)).length);
  }
});
