// Blocks of compressed JSON inside the page, read when they are needed and kept.
(() => {
  "use strict";

  const read = new Map();

  const bytes = (base64) => {
    if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
    return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  };

  // Returns a promise of the value of the block with this id.
  page.unpack = (id) => {
    if (!read.has(id)) {
      const packed = bytes(document.getElementById(id).textContent);
      const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
      read.set(id, new Response(stream).json());
    }
    return read.get(id);
  };
})();
