// Blocks of compressed JSON inside the page, read when they are needed and kept.
(() => {
  "use strict";

  const read = new Map();

  const bytes = (base64) => {
    if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
    return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  };

  const unpacked = async (id) => {
    const packed = bytes(document.getElementById(id).textContent);
    return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
  };

  // Returns a promise of the value of the block with this id; it fails in a browser that cannot decompress.
  page.unpack = (id) => {
    if (!read.has(id)) read.set(id, unpacked(id));
    return read.get(id);
  };
})();
