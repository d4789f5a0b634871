// Answer rows by an ONNX file in Node: what `with_python.py` does, with the same JSON.
//
//     node benchmarks/replay/with_node.mjs PACKAGE FOLDER MODEL < inputs.json > answers.json
//
// PACKAGE is `onnxruntime-node`, or `onnxruntime-web`, which runs here what it runs in a browser
// without a GPU: WebAssembly. FOLDER holds `node_modules`.

import { readFileSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const ARRAYS = {
  uint8: Uint8Array, int32: Int32Array, int64: BigInt64Array, float32: Float32Array,
  float64: Float64Array,
};

function decode(ort, { dtype, shape, data }) {
  if (dtype === 'string') return new ort.Tensor('string', data, shape);
  const bytes = new Uint8Array(Buffer.from(data, 'base64'));
  return new ort.Tensor(dtype, new ARRAYS[dtype](bytes.buffer), shape);
}

function encode({ type, dims, data }) {
  if (type === 'string') return { dtype: type, shape: dims, data };
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return { dtype: type, shape: dims, data: bytes.toString('base64') };
}

const [name, folder, model] = process.argv.slice(2);
const require = createRequire(resolve(folder, 'node_modules') + '/');
const ort = require(name);
if (name === 'onnxruntime-web') ort.env.wasm.numThreads = 1;
const inputs = JSON.parse(readFileSync(0, 'utf8'));
try {
  const session = await ort.InferenceSession.create(readFileSync(model));
  const fed = Object.fromEntries(
    session.inputNames.map((input) => [input, decode(ort, inputs[input])]));
  const found = await session.run(fed);
  const answers = Object.fromEntries(
    session.outputNames.map((output) => [output, encode(found[output])]));
  const version = ort.env.versions.web ?? ort.env.versions.node;
  writeSync(1, JSON.stringify({ version, answers }));
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
