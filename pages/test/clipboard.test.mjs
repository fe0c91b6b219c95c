import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DesktopClipboard } from '../web/clipboard.js';
import { isPaste } from '../web/paste-keys.js';

/** The engine's classes, as far as the clipboard goes. */
class ClipboardData {
  texts = [];
  addText(type, text) { this.texts.push([type, text]); }
  items() { return this.texts.map(([type, text]) => ({ mimeType: () => type, value: () => text })); }
}

class SessionBuilder {
  remoteClipboardChangedCallback(callback) { this.changed = callback; }
  forceClipboardUpdateCallback(callback) { this.force = callback; }
  async connect() {
    this.pasted = [];
    return { onClipboardPaste: async (data) => { this.pasted.push(...data.texts.map(([, text]) => text), '|'); } };
  }
}

async function connected(policy = { fromDesktop: true, toDesktop: true, limitBytes: 100 }) {
  const clipboard = new DesktopClipboard({ SessionBuilder, ClipboardData, Other: 1 });
  const heard = [];
  clipboard.hear = { offered: (text) => heard.push(text), tooLong: (from, bytes) => heard.push([from, bytes]), changed() {} };
  const module = clipboard.module();
  assert.equal(module.Other, 1);
  const builder = new module.SessionBuilder();
  await builder.connect();
  clipboard.told(JSON.stringify({ type: 'clipboard', ...policy }));
  const offer = (type, text) => {
    const data = new ClipboardData();
    data.addText(type, text);
    builder.changed(data);
  };
  return { clipboard, builder, heard, offer };
}

test('nothing is given to the desktop before it asks, and then nothing but emptiness', async () => {
  const { clipboard, builder } = await connected();
  assert.equal(clipboard.send('early'), 'absent');
  assert.deepEqual(builder.pasted, []);
  builder.force();
  assert.deepEqual(builder.pasted, ['|']);
});

test('a text goes to the desktop with Windows’ line ends', async () => {
  const { clipboard, builder } = await connected();
  builder.force();
  assert.equal(clipboard.send('ä😀\nb\r\nc\rd'), 'sent');
  assert.deepEqual(builder.pasted, ['|', 'ä😀\r\nb\r\nc\r\nd', '|']);
});

test('the desktop’s answer is that to the text that was sent last', async () => {
  const { clipboard, builder } = await connected();
  builder.force();
  const answered = '{"type":"clipboard-answered","taken":true}';
  clipboard.send('one');
  clipboard.told(answered);
  await clipboard.answer;
  clipboard.send('two');
  const state = () => Promise.race([clipboard.answer.then(() => 'answered'), new Promise((resolve) => { setTimeout(resolve, 10, 'open'); })]);
  assert.equal(await state(), 'open');
  clipboard.told(answered);
  assert.equal(await state(), 'answered');
});

test('a text that is too long, or not allowed, is not sent', async () => {
  const { clipboard, builder } = await connected({ fromDesktop: true, toDesktop: true, limitBytes: 10 });
  builder.force();
  assert.equal(clipboard.send('four'), 'sent');
  assert.equal(clipboard.send('fiver'), 'too-long');
  clipboard.told('{"type":"clipboard","fromDesktop":true,"toDesktop":false,"limitBytes":10}');
  assert.equal(clipboard.send('four'), 'off');
  assert.equal(builder.pasted.filter((text) => text !== '|').length, 1);
});

test('what the desktop copies is offered with this side’s line ends, and not what was just sent', async () => {
  const { clipboard, builder, heard, offer } = await connected();
  builder.force();
  offer('text/plain', 'a\r\nb');
  offer('image/png', 'x');
  clipboard.send('echo');
  offer('text/plain', 'echo');
  offer('text/plain', 'echo');
  assert.deepEqual(heard, ['a\nb', 'echo']);
  clipboard.send('two\r\nlines');
  offer('text/plain', 'two\r\nlines');
  assert.deepEqual(heard, ['a\nb', 'echo']);
});

test('what may not leave the desktop is not offered, whatever the engine says', async () => {
  const { clipboard, heard, offer } = await connected({ fromDesktop: false, toDesktop: true, limitBytes: 100 });
  offer('text/plain', 'hidden');
  assert.deepEqual(heard, []);
  clipboard.told('{"type":"clipboard","fromDesktop":true,"toDesktop":true,"limitBytes":100}');
  offer('text/plain', 'seen');
  assert.deepEqual(heard, ['seen']);
});

test('what the connector has cut is told', async () => {
  const { clipboard, heard } = await connected();
  clipboard.told('{"type":"clipboard-too-long","from":"desktop","bytes":2147483648}');
  assert.deepEqual(heard, [['desktop', 2147483648]]);
});

test('a new connection starts without clipboard', async () => {
  const { clipboard, builder } = await connected();
  builder.force();
  clipboard.module();
  assert.equal(clipboard.send('four'), 'absent');
});

test('pasting has its keys', () => {
  const key = (code, ...modifiers) => ({ code, key: code.replace('Key', '').toLowerCase(), ctrlKey: false, shiftKey: false, altKey: false, metaKey: false, ...Object.fromEntries(modifiers.map((name) => [`${name}Key`, true])) });
  for (const yes of [key('KeyV', 'ctrl'), key('KeyV', 'ctrl', 'shift'), key('KeyV', 'meta'), key('Insert', 'shift'), { ...key('Period', 'ctrl'), key: 'v' }]) assert.ok(isPaste(yes));
  for (const no of [key('KeyV'), key('KeyC', 'ctrl'), key('KeyV', 'ctrl', 'alt'), key('Insert'), key('Insert', 'ctrl'), key('KeyV', 'shift')]) assert.ok(!isPaste(no));
});
