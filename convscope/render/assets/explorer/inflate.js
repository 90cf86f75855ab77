"use strict";
// Decompress gzip (RFC 1951 and 1952) in browsers that have no DecompressionStream: Firefox before 113, Safari
// before 16.4. The data come from convscope, so that checksums are not compared.

const LENGTHS = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];
const LENGTH_BITS = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const DISTANCES = [1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577];
const CODE_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

// Return the bytes of a gzip file without optional fields, as convscope.render.data_script writes it.
function gunzip(bytes) {
  const end = bytes.length;
  const size = bytes[end - 4] + bytes[end - 3] * 2 ** 8 + bytes[end - 2] * 2 ** 16 + bytes[end - 1] * 2 ** 24;
  const output = new Uint8Array(size);
  const bits = { bytes, at: 10, held: 0, count: 0 };
  let written = 0;
  for (let last = false; !last;) {
    last = read(bits, 1) === 1;
    const kind = read(bits, 2);
    if (kind === 0) written = copyStored(bits, output, written);
    else written = inflateBlock(bits, output, written, kind === 1 ? fixedCodes() : readCodes(bits));
  }
  return output;
}

// Return the next bits as a number, the first one lowest.
function read(bits, count) {
  while (bits.count < count) {
    bits.held |= bits.bytes[bits.at++] << bits.count;
    bits.count += 8;
  }
  const value = bits.held & ((1 << count) - 1);
  bits.held >>>= count;
  bits.count -= count;
  return value;
}

function copyStored(bits, output, written) {
  bits.at -= bits.count >> 3; // whole bytes that were read ahead
  bits.held = bits.count = 0;
  const size = bits.bytes[bits.at] | bits.bytes[bits.at + 1] << 8;
  bits.at += 4;
  output.set(bits.bytes.subarray(bits.at, bits.at + size), written);
  bits.at += size;
  return written + size;
}

// Return a Huffman code: the number of codes of each length, and the symbols in the order of their codes.
function huffman(lengths) {
  const counts = new Uint16Array(16);
  for (const length of lengths) counts[length]++;
  counts[0] = 0;
  const next = new Uint16Array(16);
  for (let length = 1; length < 15; length++) next[length + 1] = next[length] + counts[length];
  const symbols = new Uint16Array(lengths.length);
  lengths.forEach((length, symbol) => { if (length) symbols[next[length]++] = symbol; });
  return { counts, symbols };
}

function symbol(bits, { counts, symbols }) {
  let [code, first, at] = [0, 0, 0];
  for (let length = 1; length < 16; length++) {
    code |= read(bits, 1);
    const count = counts[length];
    if (code - count < first) return symbols[at + code - first];
    at += count;
    first = (first + count) << 1;
    code <<= 1;
  }
  throw new Error("malformed data: no such Huffman code");
}

function fixedCodes() {
  const lengths = Array.from({ length: 288 }, (_, at) => (at < 144 ? 8 : at < 256 ? 9 : at < 280 ? 7 : 8));
  return [huffman(lengths), huffman(new Array(30).fill(5))];
}

function readCodes(bits) {
  const [literals, distances, codes] = [read(bits, 5) + 257, read(bits, 5) + 1, read(bits, 4) + 4];
  const ofCodes = new Array(19).fill(0);
  for (let at = 0; at < codes; at++) ofCodes[CODE_ORDER[at]] = read(bits, 3);
  const code = huffman(ofCodes);
  const lengths = [];
  while (lengths.length < literals + distances) {
    const one = symbol(bits, code);
    if (one < 16) lengths.push(one);
    else {
      const value = one === 16 ? lengths[lengths.length - 1] : 0;
      const times = one === 16 ? 3 + read(bits, 2) : one === 17 ? 3 + read(bits, 3) : 11 + read(bits, 7);
      for (let at = 0; at < times; at++) lengths.push(value);
    }
  }
  return [huffman(lengths.slice(0, literals)), huffman(lengths.slice(literals))];
}

function inflateBlock(bits, output, written, [literals, distances]) {
  for (;;) {
    const one = symbol(bits, literals);
    if (one === 256) return written;
    if (one < 256) output[written++] = one;
    else {
      const length = LENGTHS[one - 257] + read(bits, LENGTH_BITS[one - 257]);
      const far = symbol(bits, distances);
      const distance = DISTANCES[far] + read(bits, far < 2 ? 0 : (far >> 1) - 1);
      for (let at = 0; at < length; at++, written++) output[written] = output[written - distance];
    }
  }
}
