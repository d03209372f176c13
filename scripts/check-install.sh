#!/usr/bin/env bash
# Packs the built package, installs the tarball in an empty directory, and uses it as a stranger would:
# the command, and a program that writes, reopens and replays. Needs `npm run build` first.
set -euo pipefail
cd "$(dirname "$0")/.."

directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT

tarball=$(npm pack --silent --pack-destination "$directory")
cd "$directory"
echo '{ "private": true, "type": "module" }' >package.json
npm install --silent --ignore-scripts --no-audit --no-fund "./$tarball"

npx --no-install varve --help

cat >program.js <<'PROGRAM'
import { Varve } from 'varve'
const log = await Varve.open({ directory: './events' })
await log.createTopic({ name: 'orders', partitions: 1 })
for (const number of [1, 2, 3]) await log.append('orders', { key: 'k', value: { number } })
await log.close()

const again = await Varve.open({ directory: './events' })
const seen = []
for await (const record of again.read('orders', { from: 'earliest' })) seen.push(record.value.number)
await again.close()
if (seen.join() !== '1,2,3') throw new Error(`replayed [${seen}] instead of [1,2,3]`)
console.log('the installed package wrote, reopened and replayed 3 records')
PROGRAM
node program.js
