// Text between the engine's clipboard and this page: what the desktop has copied, and what the user pastes into it. The
// connector holds both to its policy (contracts/door.md); this page only says so in time.

/** UTF-16 with a NUL at its end, as on the wire. */
const bytesOf = (text) => 2 * (text.length + 1);

export class DesktopClipboard {
  /** Hears `offered(text)`, `tooLong(from, bytes)`, `changed()`. */
  hear = { offered() {}, tooLong() {}, changed() {} };
  /** What the connector allows: {fromDesktop, toDesktop, limitBytes}; null until it has said so. */
  policy = null;
  #backend;
  #session = null;
  #ready = false;
  #sent = null;
  #answered = () => {};
  /** Resolves when the desktop has answered what was sent last; never, where it says nothing. */
  answer = Promise.resolve();

  constructor(backend) {
    this.#backend = backend;
  }

  /** Whether the desktop has a clipboard that is connected. */
  get ready() {
    return this.#ready;
  }

  /** For the component: its next session is ours as well. Its own way would poll this computer's clipboard. */
  module() {
    const clipboard = this;
    const { SessionBuilder, ClipboardData } = this.#backend;
    this.#session = null;
    this.#ready = false;
    function Builder() {
      const builder = new SessionBuilder();
      const connect = builder.connect.bind(builder);
      builder.connect = async () => {
        const session = await connect();
        clipboard.#session = session;
        return session;
      };
      builder.remoteClipboardChangedCallback((data) => clipboard.#offered(data));
      // The desktop begins, and waits for our word.
      builder.forceClipboardUpdateCallback(() => {
        clipboard.#ready = true;
        clipboard.#session?.onClipboardPaste(new ClipboardData());
        clipboard.hear.changed();
      });
      return builder;
    }
    return { ...this.#backend, SessionBuilder: Builder };
  }

  /** Takes a text message of the connector. */
  told(message) {
    const { type, ...rest } = JSON.parse(message);
    if (type === 'clipboard') {
      this.policy = rest;
      this.hear.changed();
    } else if (type === 'clipboard-answered') this.#answered();
    else if (type === 'clipboard-too-long') this.hear.tooLong(rest.from, rest.bytes);
  }

  /** Gives `text` to the desktop's clipboard; 'sent', or why not: 'off', 'absent', 'too-long'. */
  send(text) {
    const windows = text.replace(/\r\n?|\n/g, '\r\n');
    if (this.policy && !this.policy.toDesktop) return 'off';
    if (!this.#ready || !this.#session) return 'absent';
    if (this.policy && bytesOf(windows) > this.policy.limitBytes) return 'too-long';
    const data = new this.#backend.ClipboardData();
    data.addText('text/plain', windows);
    this.#sent = windows.replaceAll('\r\n', '\n');
    this.answer = new Promise((resolve) => { this.#answered = resolve; });
    this.#session.onClipboardPaste(data).catch((error) => console.warn('the clipboard', error));
    return 'sent';
  }

  #offered(data) {
    if (this.policy && !this.policy.fromDesktop) return;
    const item = data.items().find((each) => each.mimeType() === 'text/plain');
    const text = item ? String(item.value()).replace(/\r\n/g, '\n') : '';
    if (text !== '' && text !== this.#sent) this.hear.offered(text);
    this.#sent = null;
  }
}
