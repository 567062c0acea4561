// Fetches a URL with one of the digest clients for Node; prints the status and what came.
// SPDX-License-Identifier: Apache-2.0
//
//     node get.mjs digest-fetch|urllib URL USER PASSWORD [ALGORITHM]
import DigestClient from 'digest-fetch';
import { request } from 'urllib';

const clients = {
  'digest-fetch': async (url, user, password, algorithm) => {
    // It does not look at the challenge's algorithm: it has to be told.
    const answer = await new DigestClient(user, password, { algorithm }).fetch(url);
    return [answer.status, answer.headers.get('x-algorithm'), await answer.text()];
  },
  urllib: async (url, user, password) => {
    const answer = await request(url, { digestAuth: `${user}:${password}`, dataType: 'text' });
    return [answer.status, answer.headers['x-algorithm'], answer.data];
  },
};

const [client, ...rest] = process.argv.slice(2);
console.log(JSON.stringify(await clients[client](...rest)));
