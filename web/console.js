// The overview page: polls /data/overview for states and rates, listens to /data/events for operations.

const POLL_MS = 1000;
const EVENTS_SHOWN = 200;

const servicesBody = document.querySelector('#services tbody');
const eventsBody = document.querySelector('#events tbody');
const summary = document.querySelector('#summary');
const filter = document.querySelector('#filter');

/** @type {Map<string, {total: number, atMs: number}>} */
const lastTotals = new Map();
/** @type {Map<string, string>} */
const lastOperations = new Map();
/** @type {Map<string, EventSource>} */
const streams = new Map();
let spans = [];
let renderPending = false;

function cell(text, className) {
  const td = document.createElement('td');
  td.textContent = text;
  if (className) td.className = className;
  return td;
}

/** Operations counted for a service: every counter of its own that ends in _total. */
function totalOf(service, samples) {
  const prefix = `octet_${service.replace(/-\d+$/, '')}_`;
  return samples
    .filter((sample) => sample.name.startsWith(prefix) && sample.name.endsWith('_total'))
    .reduce((sum, sample) => Math.max(sum, sample.value), 0);
}

function rateOf(key, total, atMs) {
  const last = lastTotals.get(key);
  lastTotals.set(key, { total, atMs });
  if (!last || atMs <= last.atMs) return '';
  return `${Math.max(0, ((total - last.total) * 1000) / (atMs - last.atMs)).toFixed(0)}/s`;
}

function renderServices(sources) {
  const rows = [];
  let sound = 0;
  for (const source of sources) {
    if (source.error) {
      const row = document.createElement('tr');
      row.append(cell(source.source), cell('away', 'state bad'), cell(source.url, 'code'), cell(''), cell(source.error));
      rows.push(row);
      continue;
    }
    const services = source.status.services.toSorted((a, b) => a.name.localeCompare(b.name));
    for (const service of services) {
      const ok = service.health.state === 'ok';
      if (ok) sound++;
      const addresses = Object.entries(service.endpoints)
        .map(([role, at]) => `${role === 'main' ? '' : `${role} `}${at.address}:${at.port}`)
        .join(', ');
      const row = document.createElement('tr');
      row.append(
        cell(service.name),
        cell(ok ? 'ok' : `${service.health.state}: ${service.health.reason}`, `state ${ok ? 'ok' : 'bad'}`),
        cell(addresses, 'code'),
        cell(rateOf(`${source.source}/${service.name}`, totalOf(service.name, source.samples.samples), source.samples.nowMs), 'number'),
        cell(lastOperations.get(service.name) ?? '', 'code'),
      );
      rows.push(row);
    }
  }
  servicesBody.replaceChildren(...rows);
  summary.textContent = `${sound} of ${rows.length} services ok`;
}

function renderEvents() {
  renderPending = false;
  const wanted = filter.value.trim().toLowerCase();
  const shown = spans.filter(
    (span) => wanted === '' || `${span.service} ${span.operation} ${span.outcome} ${span.requestId ?? ''}`.toLowerCase().includes(wanted),
  );
  eventsBody.replaceChildren(
    ...shown.slice(-EVENTS_SHOWN).reverse().map((span) => {
      const row = document.createElement('tr');
      row.append(
        cell(new Date(span.startMs).toISOString().slice(11, 23), 'time'),
        cell(span.service),
        cell(span.operation, 'code'),
        cell(span.outcome, 'code'),
        cell(span.durationMs.toFixed(2), 'number'),
        cell(span.requestId ?? '', 'code'),
      );
      return row;
    }),
  );
}

function listen(source) {
  if (streams.has(source)) return;
  const stream = new EventSource(`/data/events/${encodeURIComponent(source)}`);
  streams.set(source, stream);
  // A stream begins with the recent operations. One that is resumed goes on behind the last; where that is not known
  // any more it says so, and begins anew.
  const forget = () => {
    spans = spans.filter((span) => span.source !== source);
  };
  forget();
  stream.addEventListener('gap', forget);
  // Refused: asked for anew when the source is there again.
  stream.onerror = () => {
    if (stream.readyState === EventSource.CLOSED) streams.delete(source);
  };
  stream.onmessage = (message) => {
    const span = { ...JSON.parse(message.data), source };
    spans.push(span);
    if (spans.length > EVENTS_SHOWN * 10) spans.splice(0, EVENTS_SHOWN);
    lastOperations.set(span.service, `${span.operation} ${span.outcome}`);
    if (!renderPending) {
      renderPending = true;
      requestAnimationFrame(renderEvents);
    }
  };
}

async function poll() {
  try {
    const response = await fetch('/data/overview');
    if (!response.ok) throw new Error(`the console answered ${response.status}`);
    const { sources } = await response.json();
    renderServices(sources);
    for (const source of sources) if (!source.error) listen(source.source);
  } catch (error) {
    summary.textContent = error instanceof Error ? error.message : String(error);
  }
  setTimeout(poll, POLL_MS);
}

filter.addEventListener('input', renderEvents);
poll();
