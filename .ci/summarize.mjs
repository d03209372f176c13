// Prints which tests failed, shortly, and as the last line the counts. `node summarize.mjs <vitest's JSON report>`.
import { readFileSync } from 'node:fs'
import { relative } from 'node:path'

const MESSAGE_LENGTH = 500

const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const isFailed = ({ status }) => status === 'failed'
let unloaded = 0
for (const { name, message, assertionResults } of testResults.filter(isFailed)) {
  const failed = assertionResults.filter(isFailed)
  // a file that could not be loaded counts as one failed test
  if (failed.length === 0) unloaded++
  const what = failed.length === 0 ? [['could not be loaded', message]] : failed.map(describe)
  for (const [title, text] of what) console.log(`✗ ${relative('.', name)} > ${title}\n  ${text.slice(0, MESSAGE_LENGTH)}`)
}
const failures = numFailedTests + unloaded
console.log(`${numPassedTests} passed, ${failures} failed`)
process.exitCode = numPassedTests > 0 && failures === 0 ? 0 : 1

function describe({ fullName, failureMessages }) {
  return [fullName, failureMessages.join('\n')]
}
