"use strict";
// The data of the page: an index, and scripts that are loaded when they are needed.

const registry = window.convscopeData ||= {};
const index = registry["page/index"];
const loading = new Map(); // promises by path

// Return the address of a file of the run; names may have any character.
function fileAddress(path) {
  return path.split("/").map(encodeURIComponent).join("/");
}

// Load a data script and return a promise of its content.
function load(path, key) {
  if (!loading.has(path)) {
    loading.set(path, new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = fileAddress(path);
      script.addEventListener("load", () => {
        script.remove();
        resolve(registry[key]);
        delete registry[key];
      });
      script.addEventListener("error", () => reject(new Error(`${path} cannot be loaded`)));
      document.head.append(script);
    }));
  }
  return loading.get(path);
}

function bytesOf(text) {
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let at = 0; at < bytes.length; at++) bytes[at] = characters.charCodeAt(at);
  return bytes;
}

// Return a promise of the bytes that `packed` of convscope.render.data_script compressed.
async function unpacked(text) {
  if (!window.DecompressionStream) return gunzip(bytesOf(text));
  const stream = new Blob([bytesOf(text)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Keep the content of the last layers, and drop older ones: a large network has hundreds of megabytes.
const MOST_LAYERS = 48;

async function loadMaps(artifact) {
  const content = await load(artifact.path, artifact.key);
  loading.delete(artifact.path); // move it to the end
  loading.set(artifact.path, Promise.resolve(content));
  if (typeof content.values === "string") content.values = unpacked(content.values);
  content.values = await content.values;
  const maps = [...loading.keys()].filter((path) => path.startsWith("activations/") || path.includes("/activations/"));
  for (const path of maps.slice(0, -MOST_LAYERS)) loading.delete(path);
  return content;
}
