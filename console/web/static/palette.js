// Everything of a project by what is typed, in a dialog over any page: Ctrl K, or ⌘ K where that is the key for it.
// The answer is that of the page behind "Search", which the same form opens where there is no answer here.
(() => {
    "use strict";
    const WAIT_MS = 120, COMPOSING = 229;
    const link = document.querySelector("a.find");
    if (!link) return;
    const isApple = /mac|iphone|ipad/i.test(navigator.userAgentData?.platform || navigator.platform);
    let parts = null, asked = 0, running = null, timer = 0, shown = null, at = -1, moved = false, goes = false;

    function made(name, content, attributes = {}) {
        const element = document.createElement(name);
        for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
        element.append(...[content].flat());
        return element;
    }

    function build() {
        const field = made("input", [], {
            id: "palette_text", name: "text", role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false",
            "aria-controls": "palette_list", "aria-describedby": "palette_hint", autocomplete: "off",
            spellcheck: "false", autocapitalize: "none", enterkeyhint: "go", maxlength: "200",
        });
        const list = made("div", [], { id: "palette_list", role: "listbox", "aria-label": "Found", hidden: "" });
        const said = made("p", [], { class: "hint", role: "status" });
        const close = made("button", "Close", { type: "button", class: "second" });
        const form = made("form", [
            made("label", "Search", { id: "palette", for: "palette_text" }),
            made("p", "Pages, customers, and what has a name.", { class: "hint", id: "palette_hint" }),
            field, list, said,
            made("div", [made("button", "As a page", { class: "second" }), close], { class: "acts" }),
        ], { method: "post", action: link.href });
        const dialog = made("dialog", form, { "aria-labelledby": "palette", class: "palette", closedby: "any" });
        field.addEventListener("keydown", key);
        field.addEventListener("input", typed);
        field.addEventListener("compositionend", typed);
        list.addEventListener("click", (event) => {
            if (event.target.closest("a") && !(event.ctrlKey || event.metaKey || event.shiftKey)) dialog.close();
        });
        close.addEventListener("click", () => dialog.close());
        dialog.addEventListener("close", () => {
            goes = false;
            clearTimeout(timer);
            running?.abort();
        });
        document.body.append(dialog);
        return { dialog, field, list, said, form };
    }

    function open() {
        parts ??= build();
        if (!parts.dialog.open) {
            parts.dialog.showModal();
            ask();
        }
        parts.field.focus();
        parts.field.select();
    }

    const options = () => [...parts.list.querySelectorAll("[role=option]")];

    function mark(place) {
        const all = options();
        at = all.length ? (place + all.length) % all.length : -1;
        all.forEach((one, number) => one.setAttribute("aria-selected", String(number === at)));
        if (at < 0) return parts.field.removeAttribute("aria-activedescendant");
        parts.field.setAttribute("aria-activedescendant", all[at].id);
        all[at].scrollIntoView({ block: "nearest" });
    }

    function group(section) {
        const title = section.querySelector("h2");
        const name = made("div", title.textContent, { id: `palette_${title.id}`, class: "hint" });
        const links = [...section.querySelectorAll("a")];
        links.forEach((one, number) => {
            one.id = `${name.id}_${number}`;
            one.tabIndex = -1;
            one.setAttribute("role", "option");
        });
        return made("div", [name, ...links], { role: "group", "aria-labelledby": name.id });
    }

    function show(found, text) {
        const before = moved ? options()[at]?.href : null;
        shown = text;
        parts.list.replaceChildren(...[...found.querySelectorAll("section")].map(group));
        parts.said.textContent = found.querySelector("[role=status]")?.textContent ?? "";
        const all = options(), same = all.findIndex((one) => one.href === before);
        parts.list.hidden = !all.length;
        parts.field.setAttribute("aria-expanded", String(all.length > 0));
        moved = same >= 0;
        mark(Math.max(0, same));
        if (goes && all.length) go({});
        goes = false;
    }

    // Answers may overtake each other: that of the newest question alone is shown.
    async function ask() {
        const text = parts.field.value, mine = ++asked;
        clearTimeout(timer);
        running?.abort();
        running = new AbortController();
        let found = null;
        try {
            const sent = text.trim() ? { method: "POST", body: new URLSearchParams({ text }) } : {};
            const answer = await fetch(link.href, { ...sent, signal: running.signal });
            found = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("#found");
        } catch {
            // the server is away, or a newer question is asked
        }
        if (mine !== asked || !parts.dialog.open) return;
        if (found) return show(found, text);
        if (goes) return parts.form.submit();
        show(made("div", made("p", "There is no answer here: Enter asks for it as a page.", { role: "status" })), text);
    }

    function typed(event) {
        if (event.isComposing) return;
        goes = moved = false;
        clearTimeout(timer);
        timer = setTimeout(ask, WAIT_MS);
    }

    function go({ ctrlKey = false, metaKey = false, shiftKey = false }) {
        const keys = { bubbles: true, cancelable: true, ctrlKey, metaKey, shiftKey };
        options()[at].dispatchEvent(new MouseEvent("click", keys));
    }

    function key(event) {
        if (event.isComposing || event.keyCode === COMPOSING) return;
        if (event.key === "ArrowDown" || event.key === "ArrowUp") {
            event.preventDefault();
            moved = true;
            mark(at + (event.key === "ArrowDown" ? 1 : -1));
        } else if (event.key === "Enter" && shown !== parts.field.value) {
            event.preventDefault(); // what is shown is of another text: the first of this one's is gone to once it is here
            goes = true;
            ask();
        } else if (event.key === "Enter" && at >= 0) {
            event.preventDefault();
            go(event);
        }
    }

    document.addEventListener("keydown", (event) => {
        const isHeld = isApple ? event.metaKey && !event.ctrlKey : event.ctrlKey && !event.metaKey;
        if (!isHeld || event.altKey || event.shiftKey || event.isComposing || event.defaultPrevented) return;
        const isLatin = /^[a-z]$/i.test(event.key);
        if (isLatin ? event.key.toLowerCase() !== "k" : event.code !== "KeyK") return;
        event.preventDefault();
        open();
    });
    link.setAttribute("aria-keyshortcuts", isApple ? "Meta+K" : "Control+K");
    link.setAttribute("aria-haspopup", "dialog");
    link.addEventListener("click", (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
        event.preventDefault();
        open();
    });
})();
