// Live parts of a page: paused by a button, silent while nobody looks, marked where they changed, announced politely.
(() => {
    "use strict";
    const bar = document.getElementById("live");
    const word = bar.querySelector(".state"), button = bar.querySelector("button"), aside = button.lastElementChild;
    const said = document.getElementById("said");
    const KEPT = "live-paused", MARKED_MS = 2000, QUIET_MS = 20000;
    let connection = null, over = false, changed = 0, announced = 0;

    const isPaused = () => sessionStorage.getItem(KEPT) === "yes";
    const isOurs = (event) => event.target === bar;

    function tell(state, text) {
        word.className = `state ${state}`;
        word.textContent = text;
        button.firstChild.data = state === "paused" ? "Go on" : "Pause";
        aside.textContent = state === "paused" ? " with what changes by itself" : " what changes by itself";
        button.hidden = state === "over";
    }

    function announce() {
        if (!changed || Date.now() < announced + QUIET_MS) return;
        said.textContent = changed === 1 ? "One number has changed." : `${changed} numbers have changed.`;
        announced = Date.now();
        changed = 0;
    }

    function mark(element) {
        element.classList.add("changed");
        setTimeout(() => {
            element.classList.remove("changed");
            if (!element.classList.length) element.removeAttribute("class");
        }, MARKED_MS);
    }

    function note(records) {
        const marked = new Set();
        for (const { type, target, addedNodes } of records) {
            const at = type === "characterData" ? target.parentElement : target;
            const cell = at?.closest("td, .amount, .share, .state");
            if (cell && !at.closest(".when, .head")) marked.add(cell);
            // where a neighbour has the old value, the new one comes as a cell of its own
            for (const one of addedNodes) {
                if (["TR", "TD"].includes(one.nodeName) && !one.querySelector(":scope > .when")) marked.add(one);
            }
        }
        marked.forEach(mark);
        changed += marked.size;
        announce();
    }

    htmx.registerExtension("tidings", {
        // whatever somebody opened stays open
        htmx_before_morph_attr: (element, { attrName }) => !(attrName === "open" && element.nodeName === "DETAILS"),
    });

    const stopped = (event) => { if (isOurs(event) && (over || isPaused() || document.hidden)) event.preventDefault(); };
    const failed = (event) => { if (isOurs(event) && !isPaused() && !over) tell("late", "not live now"); };
    document.addEventListener("htmx:before:request", stopped);
    document.addEventListener("htmx:sse:before:connection", stopped);
    for (const name of ["htmx:error", "htmx:sse:error", "htmx:response:error"]) document.addEventListener(name, failed);
    document.addEventListener("htmx:sse:after:connection", (event) => {
        connection = event.detail.connection;
        tell("live", "live");
    });
    document.addEventListener("htmx:sse:close", () => { connection = null; });
    bar.addEventListener("late", () => tell("late", "not live now"));
    bar.addEventListener("again", () => tell("live", "live"));
    bar.addEventListener("over", () => {
        over = true;
        tell("over", "not live any more: load the page again");
    });
    document.addEventListener("visibilitychange", () => {
        if (!document.hidden && !connection) htmx.trigger(bar, "follow");
    });
    button.addEventListener("click", () => {
        sessionStorage.setItem(KEPT, isPaused() ? "no" : "yes");
        if (isPaused()) {
            tell("paused", "paused");
            connection?.abortController.abort();
        } else {
            tell("live", "live");
            htmx.trigger(bar, "follow");
        }
    });
    if (isPaused()) tell("paused", "paused");
    bar.hidden = false;
    new MutationObserver(note).observe(document.getElementById("main"), {
        characterData: true, childList: true, subtree: true,
    });
})();
