/** `npm run bench:readme`: writes the numbers of bench/results/latest.json into the README. */
import { readFileSync, writeFileSync } from 'node:fs'
import { LATEST, type BenchDocument } from './document.ts'
import { rewrite } from './readme-table.ts'

const README = new URL('../README.md', import.meta.url)

const document = JSON.parse(readFileSync(LATEST, 'utf8')) as BenchDocument
writeFileSync(README, rewrite(readFileSync(README, 'utf8'), document))
