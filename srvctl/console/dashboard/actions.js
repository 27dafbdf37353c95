// What the reader may do: ask first where it takes something away, show how it goes, tell how it ended.

const TOKEN = "srvctl console token";
const STAGES = {
  reading: "reading the settings", molding: "importing the application", canary: "starting the first worker",
  probing: "probing the first worker", baking: "watching the first worker", rolling: "replacing the workers",
  restoring: "going back",
};

// For this tab and until it is closed; a browser that stores nothing asks again after a reload of the page.
const vault = {
  token: "",
  open() {
    try { this.token = sessionStorage.getItem(TOKEN) ?? ""; } catch { /* storage is forbidden */ }
    return this.token;
  },
  keep(token) {
    this.token = token;
    try {
      if (token) sessionStorage.setItem(TOKEN, token);
      else sessionStorage.removeItem(TOKEN);
    } catch { /* storage is forbidden */ }
  },
};

/** Ask whether the console lets anybody act, and whether this token may; null if it does not answer. */
async function session(token) {
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  const response = await fetch("api/session", { headers }).catch(() => null);
  return response?.ok ? response.json().catch(() => null) : null;
}

/** Send what is to be done; return {ok, message, details}, whatever becomes of it. */
async function post(path, body) {
  let response;
  try {
    response = await fetch(path, {
      method: "POST",
      headers: { authorization: `Bearer ${vault.token}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  } catch {
    return { ok: false, message: "The console went away before it answered: the timeline tells what happened." };
  }
  const answer = await response.json().catch(() => ({}));
  const isRefused = response.status === 401;
  const message = answer.message || (response.ok ? "Done." : `The console answered ${response.status}.`);
  return { ...answer, ok: response.ok && answer.ok !== false, message, isRefused };
}

/** Show a dialog; the promise is of true if it was confirmed. Escape and Cancel are the same. */
function ask(dialog, check = async () => true) {
  return new Promise((resolve) => {
    const form = dialog.querySelector("form");
    let isConfirmed = false;
    form.onsubmit = async (event) => {
      event.preventDefault();
      if (!await check() || !dialog.open) return;
      isConfirmed = true;
      dialog.close();
    };
    form.querySelector(".cancel").onclick = () => dialog.close();
    dialog.onclose = () => resolve(isConfirmed);
    dialog.showModal();
  });
}

function confirmed(title, text, yes) {
  say($("confirm-title"), title);
  say($("confirm-text"), text);
  say($("confirm-yes"), yes);
  const answer = ask($("confirm"));
  $("confirm-yes").focus();
  return answer;
}

class Actions {
  canAct = false; // the console has a token
  isConnected = false;
  isBusy = false;
  message = null; // the last metrics

  constructor(onAllowed) {
    this.onAllowed = onAllowed;
    vault.open();
    $("unlock").onclick = () => (vault.token ? this.lock("") : this.unlock());
    $("reload").onclick = () => this.reload();
    $("more").onclick = () => this.scale(1);
    $("fewer").onclick = () => this.scale(-1);
    $("dismiss").onclick = () => this.#dismiss();
    $("result").onkeydown = (event) => { if (event.key === "Escape" && !this.isBusy) this.#dismiss(); };
  }

  take(message) {
    this.message = message;
    if (this.isReloading) this.#progress(message);
  }

  connected(isConnected) {
    if (isConnected === this.isConnected) return;
    this.isConnected = isConnected;
    this.#show();
    if (isConnected) this.#check(); // it may have been started anew, with another token or with none
  }

  async #check() {
    const answer = await session(vault.token);
    if (!answer) return;
    this.isKnown = true;
    this.canAct = answer.can_act;
    if (vault.token && !answer.authorized) this.lock("The console has another token now.");
    this.#show();
  }

  #show() {
    const mayAct = this.canAct && Boolean(vault.token);
    $("why-not").hidden = this.canAct || !this.isKnown;
    $("unlock").hidden = !this.canAct;
    say($("unlock"), vault.token ? "Lock" : "Unlock");
    for (const name of ["reload", "more", "fewer"]) {
      $(name).hidden = !mayAct;
      // Not `disabled`: the button that has the focus keeps it while it works.
      set($(name), { "aria-disabled": this.isBusy || !this.isConnected });
    }
    this.onAllowed(mayAct);
  }

  lock(why) {
    vault.keep("");
    this.#show();
    $("unlock").focus();
    if (why) this.#end("Refused", { ok: false, message: why });
  }

  async unlock() {
    const field = $("token");
    field.value = "";
    say($("key-wrong"), "");
    const isGiven = await ask($("key"), async () => {
      const token = field.value.trim();
      // Header values are visible ASCII (RFC 6750, section 2.1); fetch would refuse others with no word of why.
      const answer = /^[\x21-\x7e]+$/.test(token) ? await session(token) : { authorized: false };
      say($("key-wrong"), answer?.authorized ? "" : answer ? "This is not the token." : "The console does not answer.");
      return answer?.authorized;
    });
    if (isGiven) {
      vault.keep(field.value.trim());
      this.#show();
      $("reload").focus();
      announce("Unlocked.");
    }
    field.value = "";
  }

  async reload() {
    if (!this.#isFree()) return;
    const yes = await confirmed("Reload?", "Reads the settings again, imports the application, and replaces every "
      + "worker by one with the new code, without losing a request. If that fails, the old workers go on.", "Reload");
    if (!yes) return;
    this.isReloading = true;
    await this.#carryOut("Reload", "Asked for.", "api/reload", {});
    this.isReloading = false;
  }

  async scale(change) {
    if (!this.#isFree()) return;
    const { target } = this.message;
    const now = `from ${several(target, "worker")} to ${target + change}`;
    if (change < 0 && !await confirmed("One worker less?",
      `Goes ${now}. The worker of the last slot answers its requests and ends.`, "One less")) return;
    await this.#carryOut("Scale", `Going ${now}.`, "api/scale", { change });
  }

  async restart(slot) {
    if (!this.#isFree()) return;
    const yes = await confirmed(`Restart the worker of slot ${slot}?`,
      "A new worker of the same generation is started first; then the old one answers its requests and ends.", "Restart");
    if (yes) await this.#carryOut(`Restart slot ${slot}`, "Asked for.", `api/workers/${slot}/restart`, {});
  }

  #isFree() {
    if (this.isBusy) announce("Wait for the action that is under way.");
    if (!this.isConnected) announce("This has to wait for the connection.");
    return !this.isBusy && this.isConnected;
  }

  async #carryOut(title, text, path, body) {
    this.isBusy = true;
    this.#show();
    this.#begin(title, text);
    const answer = await post(path, body);
    this.isBusy = false;
    this.#show();
    if (answer.isRefused) this.lock("The console refused the token. Unlock with the right one.");
    else this.#end(title, answer);
  }

  #begin(title, text) {
    $("result").hidden = false;
    set($("result"), { "data-tone": "quiet" });
    say($("result-title"), `${title}…`);
    say($("result-text"), text);
    $("result-details").hidden = true;
    $("result-progress").hidden = false;
    $("result-progress").removeAttribute("value");
    $("dismiss").hidden = true;
    announce(`${title}: ${text}`);
  }

  #progress({ reload, workers, target }) {
    if (!STAGES[reload?.state]) return;
    const fresh = new Set(workers.filter((worker) => worker.generation === reload.generation && worker.state === "ready")
      .map(({ slot }) => slot)).size;
    say($("result-text"), `Generation ${reload.generation}: ${STAGES[reload.state]} (${fresh} of ${target} new)`);
    $("result-progress").max = Math.max(target, 1);
    $("result-progress").value = fresh;
  }

  #end(title, { ok, message, details }) {
    $("result").hidden = false;
    set($("result"), { "data-tone": ok ? "fine" : "bad" });
    say($("result-title"), `${ok ? "✓" : "×"} ${title}${ok ? "" : " failed"}`);
    say($("result-text"), message);
    say($("result-details"), typeof details === "string" ? details : "");
    $("result-details").hidden = !$("result-details").textContent;
    $("result-progress").hidden = true;
    $("dismiss").hidden = false;
    announce(`${title} ${ok ? "is done" : "failed"}: ${message}`);
  }

  #dismiss() {
    $("result").hidden = true;
    ($("reload").hidden ? $("theme") : $("reload")).focus();
  }
}
