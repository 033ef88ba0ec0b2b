// Keys for whoever works without a mouse: to search, to other pages, through rows; never while somebody writes.
(() => {
    "use strict";
    const OFF = "keys-off", WAIT_MS = 1500;
    const GO = {
        d: "distributions", m: "messages", e: "sends", c: "customers", s: "segments", a: "campaigns", i: "imports",
        t: "templates", n: "notices", l: "dead-letters", o: "topics", w: "workers", u: "users",
    };
    const links = new Map([...document.querySelectorAll("#column a")].map((one) => [one.pathname.split("/").pop(), one]));
    const goes = Object.entries(GO).filter(([, name]) => links.has(name)).map(([key, name]) => [key, links.get(name)]);
    let went = 0;

    function isOff() {
        try {
            return localStorage.getItem(OFF) === "yes";
        } catch {
            return false;
        }
    }

    function turn(off) {
        try {
            localStorage.setItem(OFF, off ? "yes" : "no");
        } catch {
            // a browser that keeps nothing
        }
    }

    function made(name, content, attributes = {}) {
        const element = document.createElement(name);
        for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
        element.append(...[content].flat());
        return element;
    }

    function sheet() {
        const everywhere = document.querySelector("a.find")?.getAttribute("aria-keyshortcuts")?.replace("+", " ");
        const said = [
            ...(everywhere ? [[everywhere, "Find anything"]] : []), ["/", "Search this page"], ["j", "Next row"],
            ["k", "Row before"], ["x", "Select the row, where rows have boxes"], ["?", "This sheet"],
            ...goes.map(([key, link]) => [`g ${key}`, link.textContent]),
        ];
        const rows = said.map(([keys, text]) => made("div", [
            made("dt", keys.split(" ").flatMap((one) => [made("kbd", one), " "])), made("dd", text),
        ]));
        const off = made("input", [], { type: "checkbox", id: "keys_off" });
        const close = made("button", "Close", { class: "second" });
        const dialog = made("dialog", [
            made("h2", "Keyboard", { id: "keys" }), made("dl", rows, { class: "keys" }),
            made("p", made("label", [off, " No single keys"], { class: "beside" })),
            made("form", close, { method: "dialog", class: "acts" }),
        ], { "aria-labelledby": "keys" });
        off.addEventListener("change", () => turn(off.checked));
        document.body.append(dialog);
        return { dialog, off };
    }

    let shown = null;
    function help() {
        shown ??= sheet();
        shown.off.checked = isOff();
        shown.dialog.showModal();
    }

    function search() {
        const field = document.querySelector("form[role=search] input:not([type=hidden])");
        if (!field) return links.get("customers")?.click();
        field.focus();
        field.select();
    }

    function step(by) {
        const rows = [...document.querySelectorAll("main .rows tbody tr")].filter((row) => row.querySelector("a"));
        const at = rows.findIndex((row) => row.contains(document.activeElement));
        rows[at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + by))]?.querySelector("a").focus();
    }

    // The focus stays where it is, so that what became of the box is said.
    function select() {
        const row = document.activeElement.closest("main .rows tbody tr");
        const box = row?.querySelector("input[type=checkbox]");
        if (!box) return;
        box.click();
        const name = row.querySelector("a")?.textContent.trim() ?? "";
        told.textContent = `${box.checked ? "Selected" : "No longer selected"}: ${name}`;
    }

    // By an alphabet without these letters it is the place of the key that counts.
    function letter({ key, code }) {
        return /^[^\x00-\x7f]$/.test(key) && /^Key[A-Z]$/.test(code) ? code.at(3).toLowerCase() : key;
    }

    const DOES = { "/": search, "?": help, j: () => step(1), k: () => step(-1), x: select };
    const told = made("p", [], { class: "unseen", role: "status" });
    if (document.querySelector("main .rows input[type=checkbox]")) document.body.append(told);
    document.addEventListener("keydown", (event) => {
        const { target } = event, key = letter(event), isGoing = Date.now() < went + WAIT_MS;
        if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
        if (key === "Shift" || isOff() || document.querySelector("dialog[open]")) return;
        if (target.isContentEditable || target.closest?.("input:not([type=checkbox]), textarea, select")) return;
        went = 0;
        const link = isGoing && goes.find(([one]) => one === key)?.[1];
        if (!link && key === "g") went = Date.now();
        if (!link && (!DOES[key] || isGoing)) return;
        event.preventDefault();
        if (link) link.click();
        else DOES[key]();
    });

    const open = made("button", "Keyboard", { type: "button", class: "second" });
    open.addEventListener("click", help);
    document.querySelector(".account > ul")?.append(made("li", open));
})();
