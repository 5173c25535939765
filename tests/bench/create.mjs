// A new key pair as a JWK Set file: create.mjs ALG FILE
import { writeFileSync } from 'node:fs'
import { calculateJwkThumbprint, exportJWK, generateKeyPair } from 'jose'

const [alg, file] = process.argv.slice(2)
const { privateKey } = await generateKeyPair(alg, { extractable: true })
const key = await exportJWK(privateKey)
const kid = await calculateJwkThumbprint(key)
writeFileSync(file, JSON.stringify({ keys: [{ ...key, kid, alg, use: 'sig' }] }), { mode: 0o600 })
