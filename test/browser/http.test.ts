/** The HTTP library as pages of a real Chromium use it. A check passes when the page got what it should, and its console shows no error. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import { Chromium, chromiumIsThere, type Page } from './chromium.ts';
import { TestSite } from './http-site.ts';

const skip = chromiumIsThere()
  ? false
  : 'Chromium is missing: apt-get install --no-install-recommends chromium';
const MIB = 1_024 * 1_024;

let chromium: Chromium;
let site: TestSite;

before(async () => {
  if (skip !== false) return;
  // The certificate is made for the occasion.
  chromium = await Chromium.start(['--ignore-certificate-errors']);
  site = await TestSite.start();
});

after(async () => {
  await chromium?.[Symbol.asyncDispose]();
  await site?.[Symbol.asyncDispose]();
});

function inPage(name: string, run: (page: Page) => Promise<void>, isSecure = false): void {
  test(name, { skip }, async () => {
    const page = await chromium.newPage();
    await page.open(`${isSecure ? site.secureOrigin : site.origin}/`);
    await run(page);
    assert.deepEqual(page.errors, []);
  });
}

inPage('fetch reads a response while it is being made', async (page) => {
  // The server sends the next part when the page has said that it has the one before.
  const parts = await page.evaluate(`(async () => {
    const response = await fetch('/parts');
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const parts = [];
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return parts;
      parts.push(value);
      await fetch('/parts/next', { method: 'POST' });
    }
  })()`);
  assert.deepEqual(parts, ['part 1\n', 'part 2\n', 'part 3\n']);
});

inPage('a fetch that is given up is noticed by the handler', async (page) => {
  await page.evaluate(`(async () => {
    const controller = new AbortController();
    const response = await fetch('/endless', { signal: controller.signal });
    await response.body.getReader().read();
    controller.abort();
  })()`);
  await site.endlessAborted;
});

inPage('an upload shows its progress, and arrives whole', async (page) => {
  // The server stops reading after the first piece, until the page has seen that something has left.
  const size = 24 * MIB;
  const result = (await page.evaluate(`new Promise((resolve, reject) => {
    const bytes = new Uint8Array(${size});
    for (let at = 0; at < bytes.length; at += 4096) bytes[at] = at / 4096;
    const request = new XMLHttpRequest();
    const seen = [];
    request.upload.onprogress = (event) => {
      if (seen.length === 0) void fetch('/upload/go-on', { method: 'POST' });
      seen.push([event.loaded, event.total]);
    };
    request.onload = () => resolve({ seen, answer: JSON.parse(request.responseText) });
    request.onerror = () => reject(new Error('the upload failed'));
    request.open('POST', '/upload');
    request.send(bytes);
  })`)) as { seen: [number, number][]; answer: { bytes: number; sha256: string } };
  const sent = Buffer.alloc(size);
  for (let at = 0; at < size; at += 4_096) sent[at] = at / 4_096;
  assert.equal(result.answer.bytes, size);
  assert.equal(result.answer.sha256, createHash('sha256').update(sent).digest('hex'));
  assert.ok(result.seen[0]![0] < size, `the first progress was ${result.seen[0]}`);
  assert.deepEqual(result.seen.at(-1), [size, size]);
});

inPage('a video that the browser has recorded and uploaded is played from ranges', async (page) => {
  const played = (await page.evaluate(`(async () => {
    const canvas = document.createElement('canvas');
    const context = canvas.getContext('2d');
    const recorder = new MediaRecorder(canvas.captureStream(25), { mimeType: 'video/webm' });
    const chunks = [];
    recorder.ondataavailable = ({ data }) => chunks.push(data);
    const stopped = new Promise((resolve) => (recorder.onstop = resolve));
    recorder.start();
    for (let frame = 0; frame < 25; frame++) {
      context.fillStyle = 'hsl(' + frame * 14 + ' 80% 50%)';
      context.fillRect(0, 0, canvas.width, canvas.height);
      await new Promise((resolve) => requestAnimationFrame(resolve));
    }
    recorder.stop();
    await stopped;
    await fetch('/video', { method: 'PUT', body: new Blob(chunks) });
    const video = document.createElement('video');
    video.muted = true;
    video.src = '/video';
    const ended = new Promise((resolve, reject) => {
      video.onended = resolve;
      video.onerror = () => reject(new Error(video.error.message));
    });
    await video.play();
    await ended;
    return { width: video.videoWidth, seconds: video.currentTime };
  })()`)) as { width: number; seconds: number };
  assert.equal(played.width, 300);
  assert.ok(played.seconds > 0);
  assert.ok(site.videoRanges.length > 0, 'the player asks for ranges');
});

inPage('a jump in a long recording asks for a range from its middle', async (page) => {
  await page.evaluate(`(async () => {
    const video = document.createElement('video');
    video.preload = 'metadata';
    video.src = '/recording.wav';
    await new Promise((resolve, reject) => {
      video.onloadedmetadata = resolve;
      video.onerror = () => reject(new Error(video.error.message));
    });
    const sought = new Promise((resolve) => (video.onseeked = resolve));
    video.currentTime = video.duration * 0.8;
    await sought;
  })()`);
  const starts = site.recordingRanges.map((range) => Number(/^bytes=(\d+)-/.exec(range)?.[1]));
  assert.ok(Math.max(...starts) > site.recording.length / 2, `asked for ${site.recordingRanges.join(', ')}`);
});

inPage(
  'a WebSocket with a protocol and compression echoes text and bytes, and closes as asked',
  async (page) => {
    const told = await page.evaluate(`new Promise((resolve, reject) => {
    const socket = new WebSocket(location.origin.replace('http', 'ws') + '/echo', ['unknown', 'echo']);
    socket.binaryType = 'arraybuffer';
    const sent = ['', 'gr\u00fc\u00dfe \u2603', 'x'.repeat(100000), new Uint8Array(70000).fill(7).buffer];
    const got = [];
    socket.onopen = () => { for (const message of sent) socket.send(message); };
    socket.onmessage = ({ data }) => {
      got.push(typeof data === 'string' ? data.length : [data.byteLength, new Uint8Array(data)[69999]]);
      if (got.length === sent.length) socket.close(4321, 'enough');
    };
    socket.onerror = () => reject(new Error('the WebSocket failed'));
    socket.onclose = ({ code, reason, wasClean }) =>
      resolve({ got, code, reason, wasClean, protocol: socket.protocol, extensions: socket.extensions });
  })`);
    assert.deepEqual(told, {
      got: [0, 7, 100_000, [70_000, 7]],
      code: 4_321,
      reason: '',
      wasClean: true,
      protocol: 'echo',
      extensions: 'permessage-deflate',
    });
  },
);

inPage('a long answer comes compressed, and is read as it was', async (page) => {
  const told = (await page.evaluate(`(async () => {
    const response = await fetch('/long');
    const text = await response.text();
    const [entry] = performance.getEntriesByName(response.url);
    return { length: text.length, coded: entry.encodedBodySize };
  })()`)) as { length: number; coded: number };
  assert.equal(told.length, 290_000);
  assert.ok(told.coded > 0 && told.coded < 29_000, `${told.coded} bytes`);
});

inPage('an EventSource hears events, reconnects when its stream breaks, and misses none', async (page) => {
  const heard = await page.evaluate(`new Promise((resolve, reject) => {
    const source = new EventSource('/events');
    const publish = (data) => fetch('/events', { method: 'POST', body: data });
    const heard = [];
    source.addEventListener('spell', ({ data, lastEventId }) => {
      heard.push(data);
      // The first stream ends behind the first event: the second comes while nobody listens.
      if (heard.length === 1) void publish('Nox\\nand dark').then(() => publish('Accio'));
      if (heard.length === 3) { source.close(); resolve(heard); }
    });
    source.onopen = () => { if (heard.length === 0) void publish('Lumos'); };
  })`);
  assert.deepEqual(heard, ['Lumos', 'Nox\nand dark', 'Accio']);
  assert.equal(site.lastEventIds.length, 2);
  assert.equal(site.lastEventIds[0], undefined);
  assert.match(site.lastEventIds[1] ?? '', /\.\d+$/);
});

inPage('a form with a file arrives as it was filled in', async (page) => {
  const fields = await page.evaluate(`(async () => {
    const form = new FormData();
    form.append('name', 'Lum\u00f8s "the light"\\r\\n');
    form.append('a "quoted" name', '');
    form.append('scroll', new File([new Uint8Array(300000)], 'a "b" \u2603.bin'));
    return (await fetch('/form', { method: 'POST', body: form })).json();
  })()`);
  assert.deepEqual(fields, [
    ['name', 'Lum\u00f8s "the light"\r\n'],
    ['a "quoted" name', ''],
    ['scroll', 'a "b" \u2603.bin', 300_000],
  ]);
});

inPage('a cookie that was set comes back', async (page) => {
  const who = await page.evaluate(`(async () => {
    await fetch('/login', { method: 'POST' });
    return [await (await fetch('/who')).text(), document.cookie];
  })()`);
  assert.deepEqual(who, ['abc', ''], 'and scripts do not see it');
});

inPage('a page of another origin is let in after it has asked', async (page) => {
  const answer = await page.evaluate(`(async () => {
    const response = await fetch('${site.otherOrigin}/', { method: 'PUT', headers: { 'X-Spell': 'Lumos' } });
    return response.text();
  })()`);
  assert.equal(answer, 'PUT Lumos');
});

inPage(
  'over TLS the browser chooses HTTP/2, and sends a stream',
  async (page) => {
    const told = await page.evaluate(`(async () => {
      let sent = 0;
      const body = new ReadableStream({
        pull(controller) {
          if (sent === 20) return controller.close();
          controller.enqueue(new Uint8Array(50000).fill(sent++));
        },
      });
      const response = await fetch('/stream', { method: 'POST', body, duplex: 'half' });
      const { bytes, version } = await response.json();
      const [entry] = performance.getEntriesByName(response.url);
      return { bytes, version, protocol: entry.nextHopProtocol };
    })()`);
    assert.deepEqual(told, { bytes: 1_000_000, version: '2', protocol: 'h2' });
  },
  true,
);
