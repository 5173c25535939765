// Verifies the tokens of each case with the Node libraries, as their documentation says.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import jsonwebtoken from 'jsonwebtoken'
import jwksClient from 'jwks-rsa'
import nodeJose from 'node-jose'

const require = createRequire(import.meta.url)

async function jose (of, token) {
  await jwtVerify(token, createLocalJWKSet(JSON.parse(of.set)), { audience: 'client' })
}

async function jwksRsa (of, token, { alg, kid }) {
  const key = await jwksClient({ jwksUri: of.url }).getSigningKey(kid)
  jsonwebtoken.verify(token, key.getPublicKey(), { algorithms: [alg], audience: 'client' })
}

async function nodeJoseStore (of, token) {
  const store = await nodeJose.JWK.asKeyStore(of.set)
  await nodeJose.JWS.createVerify(store).verify(token)
}

const VERIFIERS = [
  ['jose', 'jose', jose],
  ['jwks-rsa', 'jwks-rsa', jwksRsa],
  ['node-jose', 'node-jose', nodeJoseStore]
]

async function errorOf (verify, of, token) {
  try {
    await verify(of, token, decodeProtectedHeader(token))
    return null
  } catch (error) {
    return `${error.name}: ${error.message}`.slice(0, 200)
  }
}

function versionOf (name) {
  const path = require.resolve(name).replace(/(.*node_modules\/[^/]+\/).*/, '$1package.json')
  return JSON.parse(readFileSync(path)).version
}

for (const [name, dependency, verify] of VERIFIERS) {
  const version = versionOf(dependency)
  for (const of of JSON.parse(readFileSync(process.argv[2]))) {
    const errors = []
    for (const token of of.tokens) errors.push(await errorOf(verify, of, token))
    console.log(JSON.stringify({ verifier: name, version, case: of.name, errors }))
  }
}
