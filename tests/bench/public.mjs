// A JWK Set file without private parts, and no further checks: public.mjs FILE
import { readFileSync } from 'node:fs'

const { keys } = JSON.parse(readFileSync(process.argv[2]))
const strip = ({ d, p, q, dp, dq, qi, oth, ...key }) => key
console.log(JSON.stringify({ keys: keys.map(strip) }))
