// Makes target/classes/org/casement/pages/dist from web/ and the npm packages: bundled, named by content, compressed.
// Run by Maven; Node >= 18 and npm, nothing else. Does nothing, fast, when nothing has changed.
//
// dist/index.json lists the files for the connectors: {"files": [{path, type, immutable, br?, gz?}]}, paths relative to dist.

import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const here = dirname(fileURLToPath(import.meta.url));
const web = join(here, 'web');
const modules = join(here, 'node_modules');
const dist = join(here, 'target/classes/org/casement/pages/dist');
const assets = join(dist, 'assets');

const TYPES = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
};

const hash = (...parts) => parts.reduce((sum, part) => sum.update(part), createHash('sha256')).digest('hex');
const read = (file) => (existsSync(file) ? readFileSync(file, 'utf8') : '');

function installPackages() {
  const stamp = join(modules, '.casement-stamp');
  const wanted = hash(readFileSync(join(here, 'package-lock.json')));
  if (read(stamp) === wanted) return;
  execFileSync('npm', ['ci', '--ignore-scripts', '--prefer-offline'], { cwd: here, stdio: ['ignore', 'inherit', 'inherit'] });
  writeFileSync(stamp, wanted);
}

/**
 * What must change in the packages. Each place must be there exactly once, so that a new version cannot slip through.
 * Style elements and style attributes would need 'unsafe-inline' in the Content-Security-Policy; the object model does not.
 */
const PATCHES = {
  'iron-remote-desktop.js': [
    ['const n = document.createElement("style");\n      n.id = e.hash, n.textContent = e.code, r.appendChild(n);',
      'const n = new CSSStyleSheet();\n      n.replaceSync(e.code), r.adoptedStyleSheets = [...r.adoptedStyleSheets, n];'],
    // Its clipboard is not used (clipboard.js), and asks the browser for the user's at once.
    ['await Ve(), await l.initClipboard();', 'await Ve();'],
    ['fi(se, "style", B(s)), fi(Le, "style", B(w));', 'se.style.cssText = B(s), Le.style.cssText = B(w);'],
  ],
  'iron-remote-desktop-rdp.js': [
    ['return new WebSocket(k(A, I));', 'return openSocket(k(A, I));'],
    // 6 MB of base64 in a script become a file of their own, compiled while it streams in.
    [/"data:application\/wasm;base64,([A-Za-z0-9+/]+=*)"/, 'new URL(engine, import.meta.url).href'],
  ],
};

function patched(name) {
  const scope = join(modules, '@devolutions', name.replace('.js', ''));
  let text = readFileSync(join(scope, name), 'utf8');
  let engine = null;
  for (const [before, after] of PATCHES[name]) {
    const pieces = text.split(before);
    if (before instanceof RegExp) [engine] = pieces.splice(1, 1);
    if (pieces.length !== 2) throw new Error(`${name}: expected once, found ${pieces.length - 1} times: ${before}`);
    text = pieces.join(after);
  }
  if (engine) text = `import engine from 'casement:engine.wasm';\nimport { openSocket } from ${JSON.stringify(join(web, 'lent-socket.js'))};\n${text}`;
  return { text, engine, scope };
}

const packages = {
  name: 'casement-packages',
  setup(build) {
    let engine = null;
    build.onLoad({ filter: /@devolutions[\\/].*\.js$/ }, ({ path }) => {
      const found = patched(path.split(/[\\/]/).at(-1));
      engine = found.engine ?? engine;
      return { contents: found.text, resolveDir: found.scope };
    });
    build.onResolve({ filter: /^casement:/ }, ({ path }) => ({ path: path.slice('casement:'.length), namespace: 'casement' }));
    // The audio thread loads a file of its own.
    build.onLoad({ filter: /^ring\.js$/, namespace: 'casement' }, () => ({ contents: readFileSync(join(web, 'ring.js')), loader: 'file' }));
    build.onLoad({ filter: /^engine\.wasm$/, namespace: 'casement' }, () => ({ contents: Buffer.from(engine, 'base64'), loader: 'file' }));
  },
};

/** The texts that the packages' licences want to travel with them. */
function licences() {
  const novnc = join(modules, '@novnc/novnc');
  const version = (name) => JSON.parse(readFileSync(join(modules, name, 'package.json'), 'utf8')).version;
  const desNotice = /^\/\*[\s\S]*?\*\//.exec(readFileSync(join(novnc, 'core/crypto/des.js'), 'utf8'))[0];
  const section = (title, ...texts) => [`${'='.repeat(78)}\n${title}\n${'='.repeat(78)}`, ...texts].join('\n\n');
  return [
    'The pages of Casement are under the Apache License 2.0 (last text below) and contain:',
    section(`noVNC ${version('@novnc/novnc')} (@novnc/novnc), unchanged, bundled; the source is in the npm package of that name and version`,
      read(join(novnc, 'LICENSE.txt')), read(join(novnc, 'AUTHORS')), desNotice),
    section('pako (in noVNC)', read(join(novnc, 'vendor/pako/LICENSE'))),
    section('Mozilla Public License 2.0 (noVNC)', read(join(novnc, 'docs/LICENSE.MPL-2.0'))),
    section(`IronRDP web client ${version('@devolutions/iron-remote-desktop')} and RDP engine ${version('@devolutions/iron-remote-desktop-rdp')}`,
      '@devolutions/iron-remote-desktop and @devolutions/iron-remote-desktop-rdp, by Devolutions Inc. and contributors,\nMIT OR Apache-2.0, used under the Apache License 2.0. Changed at build time: how the engine\'s file is loaded, how its\nWebSocket is opened, how styles are set, no clipboard at the start (build.mjs, PATCHES).'),
    section('Apache License 2.0', readFileSync(join(here, '../LICENSE'), 'utf8')),
  ].join('\n\n');
}

async function bundle() {
  const { build } = await import('esbuild');
  rmSync(dist, { recursive: true, force: true });
  const { metafile } = await build({
    absWorkingDir: here,
    entryPoints: ['web/main.js', 'web/casement.css'],
    outdir: assets,
    bundle: true, splitting: true, format: 'esm', minify: true, charset: 'utf8', target: ['es2022', 'chrome111', 'firefox113', 'safari16.4'],
    entryNames: '[name]-[hash]', chunkNames: '[name]-[hash]', assetNames: '[name]-[hash]',
    metafile: true, logLevel: 'warning',
    plugins: [packages],
  });
  const names = {};
  for (const [file, { entryPoint }] of Object.entries(metafile.outputs)) {
    if (entryPoint) names[entryPoint.split('/').at(-1)] = `assets/${file.split('/').at(-1)}`;
  }
  const add = (name, content) => {
    names[name] = `assets/${name.replace('.', `-${hash(content).slice(0, 8)}.`)}`;
    writeFileSync(join(dist, names[name]), content);
  };
  add('icon.svg', readFileSync(join(web, 'icon.svg')));
  add('licences.txt', licences());
  const html = readFileSync(join(web, 'index.html'), 'utf8').replace(/\{\{(.+?)\}\}/g, (_, name) => {
    if (!names[name]) throw new Error(`index.html: no file ${name}`);
    return names[name];
  });
  writeFileSync(join(dist, 'index.html'), html);
}

const PACKERS = {
  br: (content) => brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: content.length } }),
  gz: (content) => gzipSync(content, { level: 9 }),
};

/** Brotli takes 8 s for the engine: what was packed once is kept beside the packages. */
function remembered(name, make) {
  const file = join(modules, '.cache/casement', name);
  if (!existsSync(file)) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, make());
  }
  return readFileSync(file);
}

function compress() {
  const files = ['index.html', ...readdirSync(assets).sort().map((name) => `assets/${name}`)].map((path) => {
    const content = readFileSync(join(dist, path));
    const entry = { path, type: TYPES[extname(path)], immutable: path.startsWith('assets/') };
    // A connector puts the tab into index.html now and then, so that page travels as it is.
    if (!entry.immutable) return entry;
    for (const [key, pack] of Object.entries(PACKERS)) {
      const packed = remembered(`${hash(content)}.${key}`, () => pack(content));
      if (packed.length >= content.length) continue;
      entry[key] = `${path}.${key}`;
      writeFileSync(join(dist, entry[key]), packed);
    }
    return entry;
  });
  writeFileSync(join(dist, 'index.json'), JSON.stringify({ files }, null, 2));
}

const inputs = ['build.mjs', 'package-lock.json', '../LICENSE', ...readdirSync(web).sort().map((name) => `web/${name}`)];
const stamp = join(here, 'target/pages.stamp');
const wanted = hash(...inputs.flatMap((name) => [name, readFileSync(join(here, name))]));
if (read(stamp) !== wanted || !existsSync(join(dist, 'index.json'))) {
  installPackages();
  await bundle();
  compress();
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, wanted);
}
