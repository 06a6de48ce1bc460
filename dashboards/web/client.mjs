// `npm run client`: writes openapi.json from the server's code, and src/client from that.
// PYTHON names the interpreter that runyard is installed for; `python3` if it is not set.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'

const python = process.env.PYTHON ?? 'python3'
const document = execFileSync(python, ['-m', 'runyard.server.document'], { maxBuffer: 2 ** 26 })
writeFileSync('openapi.json', document)
execFileSync(process.execPath, ['node_modules/@hey-api/openapi-ts/bin/run.js'], { stdio: 'inherit' })
writeFileSync('src/client/openapi.sha256', `${createHash('sha256').update(document).digest('hex')}\n`)
