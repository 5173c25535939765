// One key of a JWK Set file: find.mjs FILE KID
import { readFileSync } from 'node:fs'

const [file, kid] = process.argv.slice(2)
const key = JSON.parse(readFileSync(file)).keys.find((key) => key.kid === kid)
console.log(JSON.stringify(key))
