// My workloads, kept up to date by the event stream.
'use strict';

const byId = (id) => document.getElementById(id);
const final = new Set(['SUCCEEDED', 'FAILED', 'STOPPED']);
let logStop = null;

function notice(text) {
  byId('notice').textContent = text;
  byId('notice').hidden = !text;
}

async function call(path, options) {
  const answer = await fetch(path, options);
  if (answer.status === 401) {
    location.replace('/login?next=' + encodeURIComponent(location.pathname));
    throw new Error('not logged in');
  }
  const body = answer.status === 204 ? {} : await answer.json();
  if (!answer.ok)
    throw new Error(body.detail || `the server answered ${answer.status}`);
  return body;
}

function ago(time) {
  const seconds = Math.max(0, Math.round((Date.now() - Date.parse(time)) / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor(seconds % 3600 / 60)} min`;
  return `${Math.floor(seconds / 86400)} d`;
}

function cell(row, text, className) {
  const td = row.insertCell();
  td.textContent = text;
  if (className) td.className = className;
  return td;
}

function button(parent, text, action) {
  const b = document.createElement('button');
  b.textContent = text;
  b.addEventListener('click', async () => {
    b.disabled = true;
    try {
      await action();
      notice('');
    } catch (e) {
      notice(e.message);
    }
    b.disabled = false;
  });
  parent.append(b);
}

async function open(workload) {
  const target = await call(`/api/v1/notebooks/${workload.id}/open`, {method: 'POST'});
  window.open(target.url, '_blank', 'noopener');
}

async function showLog(workload) {
  if (logStop) logStop.abort();
  logStop = new AbortController();
  byId('log-name').textContent = workload.name;
  byId('log').textContent = '';
  byId('log-panel').hidden = false;
  byId('log-panel').scrollIntoView();
  const answer = await fetch(`/api/v1/workloads/${workload.id}/logs?follow=true`, {signal: logStop.signal});
  if (!answer.ok) {
    byId('log').textContent = (await answer.json()).detail;
    return;
  }
  const reader = answer.body.getReader();
  const decoder = new TextDecoder();
  (async () => {
    try {
      for (;;) {
        const {value, done} = await reader.read();
        if (done) break;
        byId('log').append(decoder.decode(value, {stream: true}));
      }
    } catch (e) { /* closed by us or by the server: what was shown stays */ }
  })();
}

function show(workloads) {
  const body = byId('workloads');
  body.replaceChildren();
  byId('empty').hidden = workloads.length > 0;
  for (const w of workloads) {
    const row = body.insertRow();
    cell(row, w.name).title = w.id;
    cell(row, w.kind);
    cell(row, w.state.toLowerCase(), 'state ' + w.state.toLowerCase());
    cell(row, w.reason || '');
    cell(row, w.project);
    cell(row, ago(w.state_since || w.submitted));
    const actions = cell(row, '', 'actions');
    if (w.kind === 'notebook' && w.state === 'RUNNING')
      button(actions, 'Open', () => open(w));
    if (w.attempt)
      button(actions, 'Log', () => showLog(w));
    if (!final.has(w.state))
      button(actions, 'Stop', () => call(`/api/v1/workloads/${w.id}/stop`, {method: 'POST'}));
  }
}

let pending = null;
function refresh() {
  // Many events in a row cost one request.
  if (pending) return;
  pending = setTimeout(async () => {
    pending = null;
    try {
      show((await call('/api/v1/workloads?mine=true&limit=100')).items);
    } catch (e) {
      notice(e.message);
    }
  }, 100);
}

async function start() {
  const me = await call('/api/v1/me');
  byId('who').textContent = me.name;
  byId('logout').addEventListener('click', async () => {
    await call('/api/v1/logout', {method: 'POST'});
    location.replace('/login');
  });
  byId('log-close').addEventListener('click', () => {
    if (logStop) logStop.abort();
    byId('log-panel').hidden = true;
  });
  refresh();
  setInterval(refresh, 30000);
  const events = new EventSource('/api/v1/events?watch=true');
  events.onmessage = refresh;
  events.onopen = () => { notice(''); refresh(); };
  events.onerror = () => notice('Connection lost; trying again…');
}

start().catch((e) => notice(e.message));
