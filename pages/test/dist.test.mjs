import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';

const dist = new URL('../target/classes/org/casement/pages/dist/', import.meta.url);
const read = (path) => readFileSync(new URL(path, dist));
const { files } = JSON.parse(read('index.json'));
const html = read('index.html').toString();

test('the manifest lists every file, and what it lists is there', () => {
  const listed = files.flatMap(({ path, br, gz }) => [path, br, gz]).filter(Boolean).sort();
  const there = ['index.html', ...readdirSync(new URL('assets/', dist)).map((name) => `assets/${name}`)].sort();
  assert.deepEqual(listed, there);
});

test('every file has a type, and compressed forms hold the same bytes', () => {
  for (const { path, type, br, gz } of files) {
    assert.match(type, /^[a-z]+\/[a-z+]+/, path);
    if (br) assert.ok(brotliDecompressSync(read(br)).equals(read(path)), br);
    if (gz) assert.ok(gunzipSync(read(gz)).equals(read(path)), gz);
  }
});

test('the page is served by content-named, immutable files, and itself is not immutable', () => {
  assert.deepEqual(files.filter(({ immutable }) => !immutable).map(({ path }) => path), ['index.html']);
  for (const { path, immutable } of files) if (immutable) assert.match(path, /^assets\/\w+-\w{8}\.\w+$/);
});

test('the page refers to nothing but its own files, by relative addresses', () => {
  const references = [...html.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, address]) => address);
  assert.ok(references.length >= 4);
  for (const address of references) assert.ok(existsSync(new URL(address, dist)), address);
});

test('the page needs no inline script or style', () => {
  assert.doesNotMatch(html, /<style|style=|<script(?! type="module" src=)|\son\w+=/);
  for (const { path } of files) {
    if (path.endsWith('.js')) assert.doesNotMatch(read(path).toString(), /createElement\("style"\)|setAttribute\("style"|data:application\/wasm/, path);
  }
});

test('a portal’s answer has one place for the tab', () => {
  assert.equal(html.split('<meta name="casement-tab" content="">').length, 2);
});

test('the licences of what is bundled travel with it', () => {
  const texts = read(files.find(({ path }) => path.startsWith('assets/licences-')).path).toString();
  for (const phrase of ['Mozilla Public License', 'pako', 'Apache License', 'IronRDP', 'Widget Workshop']) assert.ok(texts.includes(phrase), phrase);
});
