// What is shown beside a form follows it: a moment after the last change it is asked for again, with all that is written.
(() => {
    "use strict";
    const WAIT_MS = 650, LONGEST_MS = 20000;
    const SHOWN = "button[data-view][aria-pressed=true]";
    const form = document.querySelector("form.builder, .editor > form");
    const panes = [...document.querySelectorAll(".pane")], outputs = [...document.querySelectorAll(".output")];
    const waiting = new Set();
    let timer = 0, frames = 0, coming = null, asked = 0;

    // one after the other: a form goes to one place at a time. A frame of its own for each: another page in the same
    // one would be a step of the back button. What scrolls is around the frames, which are higher than most messages:
    // a frame in which nothing runs cannot be asked how far down it is, and a new one begins at its top
    function next() {
        const [pane] = waiting;
        if (coming || !pane) return;
        waiting.delete(pane);
        const shown = pane.querySelector("iframe"), frame = shown.cloneNode();
        coming = frame;
        frame.removeAttribute("src");
        frame.className = "coming";
        frame.name = `preview-${++frames}`; // browsers keep the name that a frame began with
        shown.parentElement.append(frame);
        const late = setTimeout(() => arrived(shown, frame), LONGEST_MS);
        frame.addEventListener("load", () => {
            clearTimeout(late);
            arrived(shown, frame);
        });
        const { action, target } = form;
        const address = new URL(pane.dataset.follows, location.href);
        address.searchParams.set("view", pane.querySelector(SHOWN).dataset.view);
        form.action = address.href;
        form.target = frame.name;
        form.submit(); // its own checks are for what is saved
        form.action = action;
        form.target = target;
    }

    function arrived(shown, frame) {
        if (coming !== frame) return;
        coming = null;
        frame.removeAttribute("class");
        shown.remove();
        next();
    }

    async function follow() {
        const number = ++asked, body = new URLSearchParams(new FormData(form));
        body.set("do", "stay");
        try {
            const reply = await fetch(form.action, { method: "POST", body });
            const page = new DOMParser().parseFromString(await reply.text(), "text/html");
            if (number !== asked) return; // a newer one is on its way
            for (const shown of outputs) {
                const made = page.getElementById(shown.id);
                if (made) shown.replaceChildren(...made.childNodes);
            }
        } catch {
            // the button that shows it says what is in the way
        }
    }

    function show(those) {
        for (const pane of those) waiting.add(pane);
        next();
    }

    form.addEventListener("input", (event) => {
        if (event.target.type === "file") return;
        clearTimeout(timer);
        timer = setTimeout(() => {
            show(panes);
            if (outputs.length) follow();
        }, WAIT_MS);
    });
    form.addEventListener("submit", () => clearTimeout(timer));

    for (const pane of panes) {
        const room = pane.querySelector(".room"), frame = room.firstElementChild;
        const views = [...pane.querySelectorAll("button[data-view]")];
        pane.classList.add("follows");
        room.tabIndex = 0;
        frame.className = "coming"; // it has all views below each other
        views[0].parentElement.hidden = false;
        for (const button of form.querySelectorAll(`[formtarget="${frame.name}"]`))
            button.addEventListener("click", (event) => {
                event.preventDefault();
                show([pane]);
            });
        for (const button of views)
            button.addEventListener("click", () => {
                for (const one of views) one.setAttribute("aria-pressed", one === button);
                room.scrollTop = 0;
                show([pane]);
            });
    }
    show(panes);
})();
