// Opens a WebSocket with one of the clients for Node, sends messages, prints what came back.
// SPDX-License-Identifier: Apache-2.0
//
//     node websocket.mjs ws|faye-websocket URL AUTHORIZATION deflate|plain CERTIFICATE <MESSAGES
//
// MESSAGES is JSON: [["text" | "binary", base64], ...]; prints {"got": the same, "extensions", "code"}
// or {"status"} when the handshake was answered with something else.
import { readFileSync } from 'fs';
import FayeWebSocket from 'faye-websocket';
import WebSocket from 'ws';

const [library, url, authorization, compression, certificate] = process.argv.slice(2);
const messages = JSON.parse(readFileSync(0, 'utf8'));
const headers = authorization ? { Authorization: authorization } : {};
const tls = certificate ? { ca: readFileSync(certificate) } : {};
const got = [];

function done(result) {
  process.stdout.write(JSON.stringify(result), () => process.exit(0));
}

function data([kind, text]) {
  const bytes = Buffer.from(text, 'base64');
  return kind === 'text' ? bytes.toString() : bytes;
}

if (library === 'ws') {
  const socket = new WebSocket(url, {
    headers, ...tls, perMessageDeflate: compression === 'deflate',
  });
  socket.on('open', () => messages.forEach((m) => socket.send(data(m))));
  socket.on('message', (bytes, isBinary) => {
    got.push([isBinary ? 'binary' : 'text', bytes.toString('base64')]);
    if (got.length === messages.length) socket.close(4000, 'done');
  });
  socket.on('unexpected-response', (request, answer) => done({ status: answer.statusCode }));
  socket.on('close', (code) => done({ got, code, extensions: socket.extensions }));
} else {
  const extensions = compression === 'deflate'
    ? [(await import('permessage-deflate')).default] : [];
  const socket = new FayeWebSocket.Client(url, [], { headers, tls, extensions });
  let failed;
  socket.on('open', () => messages.forEach((m) => socket.send(data(m))));
  socket.on('message', ({ data: value }) => {
    got.push([typeof value === 'string' ? 'text' : 'binary',
      Buffer.from(value).toString('base64')]);
    if (got.length === messages.length) socket.close(4000, 'done');
  });
  socket.on('error', (error) => { failed = error.message; });
  socket.on('close', ({ code }) => {
    const status = failed && /Unexpected response code: (\d+)/.exec(failed);
    done(status ? { status: Number(status[1]) } : { got, code, failed });
  });
}
