// @ts-check
// Passkeys: a form that is shown with this script alone asks the server for options, has a device make or use a key by
// them, and sends what came of it like any other form. Without the script there are passwords.
"use strict";

/** @param {string} text */
const bytes = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (one) => one.charCodeAt(0));

/** @param {ArrayBuffer | null | undefined} buffer */
const written = (buffer) => {
  if (!buffer) return null;
  const letters = Array.from(new Uint8Array(buffer), (one) => String.fromCharCode(one)).join("");
  return btoa(letters).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
};

// By hand: extensions that keep passkeys answer with objects whose toJSON browsers refuse to call.
/** @param {any} credential */
const asJson = (credential) => {
  const { response } = credential;
  const parts = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];
  const said = parts.filter((name) => response[name]).map((name) => [name, written(response[name])]);
  const id = written(credential.rawId);
  return JSON.stringify({ id, rawId: id, type: "public-key", response: Object.fromEntries(said) });
};

/** @param {string | undefined} kind @param {any} options */
const answered = async (kind, options) => {
  const publicKey = { ...options, challenge: bytes(options.challenge) };
  if (kind !== "create") return navigator.credentials.get({ publicKey });
  publicKey.user = { ...options.user, id: bytes(options.user.id) };
  publicKey.excludeCredentials = options.excludeCredentials.map((/** @type {any} */ one) => ({
    ...one,
    id: bytes(one.id),
  }));
  return navigator.credentials.create({ publicKey });
};

const STOPPED = "Nothing came of it: it was stopped, it took too long, or this device has no passkey for it.";
/** @type {Record<string, string>} */
const WORDS = {
  NotAllowedError: STOPPED,
  AbortError: STOPPED,
  InvalidStateError: "This device has a passkey of yours already.",
  SecurityError: "This page is not at the address that Tidings has in its settings (web.url).",
  NotSupportedError: "This device cannot make a passkey that asks who you are.",
  TypeError: "The server does not answer. Try again soon.",
};

/** @param {HTMLFormElement} form */
const begin = async (form) => {
  const reply = await fetch(form.dataset.options ?? "", {
    method: "POST",
    body: new URLSearchParams(/** @type {any} */ (new FormData(form))),
  });
  if (!(reply.headers.get("content-type") ?? "").startsWith("application/json")) {
    location.reload(); // a page, as of a session that is over
    return "";
  }
  const said = await reply.json();
  if (!reply.ok) {
    const field = said.field && form.elements.namedItem(said.field);
    if (field instanceof HTMLElement) field.focus();
    return said.message;
  }
  const credential = await answered(form.dataset.passkey, said);
  if (!credential) return STOPPED; // as some extensions have it
  const answer = /** @type {HTMLInputElement} */ (form.elements.namedItem("credential"));
  answer.value = asJson(credential);
  for (const one of form.querySelectorAll("input[type=password]")) /** @type {HTMLInputElement} */ (one).value = "";
  form.submit();
  return "";
};

for (const form of /** @type {NodeListOf<HTMLFormElement>} */ (document.querySelectorAll("form[data-passkey]"))) {
  if (!window.PublicKeyCredential) break;
  const told = /** @type {HTMLElement} */ (form.querySelector("[role=alert]"));
  const button = /** @type {HTMLButtonElement} */ (form.querySelector("button"));
  form.hidden = false;
  for (const one of document.querySelectorAll("[data-without-passkeys]")) /** @type {HTMLElement} */ (one).hidden = true;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.ariaDisabled === "true") return;
    button.ariaDisabled = "true";
    told.textContent = "";
    try {
      told.textContent = await begin(form);
    } catch (error) {
      const name = error instanceof Error || error instanceof DOMException ? error.name : "";
      told.textContent = WORDS[name] ?? `This browser could not do it (${name}).`;
    }
    button.ariaDisabled = "false";
  });
}
