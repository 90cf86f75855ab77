"use strict";
// Addresses: #/ROUTE?STATE. The state is what a reader would share: photograph, scale, sort, filter, list.

const DEFAULTS = {
  photo: "", scale: "channel", sort: "strongest", filter: "", show: "maps", size: "m", all: "", channel: "", list: "", cell: "", method: "", target: "", before: "",
};
const STICKY = ["photo", "scale", "sort", "show", "size", "list", "method", "target", "before"]; // kept from route to route

let here = readAddress();

// Return the route as decoded parts, and the state.
function readAddress() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const parts = path.split("/").filter((part) => part !== "").map(decode);
  const state = { ...DEFAULTS };
  for (const [name, value] of new URLSearchParams(query)) if (name in DEFAULTS) state[name] = value;
  if (parts[0] === "image" && parts.length > 1) state.photo = parts[1];
  return { parts, state };
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

// Return an address for a link. The sticky state of this page is kept unless `changes` overrides it.
function address(parts, changes = {}) {
  const state = {};
  for (const name of STICKY) state[name] = here.state[name];
  Object.assign(state, changes);
  const query = String(new URLSearchParams(Object.entries(state).filter(([name, value]) => value !== DEFAULTS[name])));
  const path = parts.map(encodeURIComponent).join("/");
  return `#/${path}${query ? `?${query}` : ""}`;
}

// Change the state on this page without a new entry in the history.
function change(changes) {
  history.replaceState(null, "", address(here.parts, { ...here.state, ...changes }));
  arrive();
}

function go(parts, changes = {}) {
  location.hash = address(parts, changes);
}

// Return a link to another page of the explorer.
function to(parts, children, { changes = {}, ...given } = {}) {
  return h("a", { href: address(parts, changes), ...given }, children);
}
