// Loads the page again when the server serves other code than that which made it (srvctl run --reload-browser).
//
// The page's edition is in this script's address, the server's comes through an event stream. Only a page that is
// seen keeps a stream open: browsers have six connections to a server (HTTP/1.1), and many tabs would use them up.
// A page that was hidden asks when it is seen again.
(() => {
  "use strict";
  const own = new URL(document.currentScript.src);
  const isInside = () => {
    try {
      return window !== window.top && Boolean(window.top.__srvctl__);
    } catch {
      return false; // a page of somebody else's
    }
  };
  if (window.__srvctl__ || isInside()) {
    return;
  }
  window.__srvctl__ = true;

  const edition = own.search.slice(1);
  const address = new URL("reload", own).href;
  const SOON = 50; // milliseconds: a new worker serves already when the old one hangs up
  const LATER = 2000;
  const MUCH_LATER = 30000; // the server is there and has no such stream
  let stream = null;
  let timer = 0;
  let pause = SOON;

  function close() {
    clearTimeout(timer);
    if (stream) {
      stream.close();
      stream = null;
    }
  }

  function open() {
    close();
    stream = new EventSource(address);
    stream.onmessage = (event) => {
      pause = SOON;
      if (event.data !== edition) {
        loadAgain(event.data);
      }
    };
    stream.onerror = () => {
      const isRefused = stream.readyState === EventSource.CLOSED;
      close();
      timer = setTimeout(open, pause);
      pause = Math.min(pause * 2, isRefused ? MUCH_LATER : LATER);
    };
  }

  // Once for each edition: a page that a cache made, or a service worker, would be loaded for ever.
  function loadAgain(wanted) {
    try {
      const mark = `${wanted} ${location.href}`;
      if (sessionStorage.getItem("srvctl-reload") === mark) {
        return;
      }
      sessionStorage.setItem("srvctl-reload", mark);
    } catch {
      return; // no storage, nothing that ends a loop
    }
    close();
    location.reload();
  }

  function look() {
    pause = SOON;
    if (document.visibilityState === "visible") {
      open();
    } else {
      close();
    }
  }

  document.addEventListener("visibilitychange", look);
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", (event) => event.persisted && look());
  look();
})();
