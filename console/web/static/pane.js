// The preview beside an editor follows what is written: a moment after the last change its form is shown once more.
(() => {
    "use strict";
    const WAIT_MS = 700, LONGEST_MS = 20000;
    const pane = document.querySelector(".pane"), form = pane.parentElement.querySelector("form");
    let timer = 0, number = 0, coming = null, changed = false;

    // a frame of its own for each: another page in the same one would be a step of the back button
    function show() {
        if (coming) {
            changed = true;
            return;
        }
        const shown = pane.querySelector("iframe"), next = shown.cloneNode();
        coming = next;
        next.removeAttribute("src");
        next.className = "coming";
        next.name = `preview-${++number}`; // browsers keep the name that a frame began with
        pane.append(next);
        const late = setTimeout(() => arrived(shown, next), LONGEST_MS);
        next.addEventListener("load", () => {
            clearTimeout(late);
            arrived(shown, next);
        });
        const { action, target } = form;
        form.action = pane.dataset.follows;
        form.target = next.name;
        form.submit(); // its own checks are for what is saved
        form.action = action;
        form.target = target;
    }

    function arrived(shown, next) {
        if (coming !== next) return;
        coming = null;
        next.removeAttribute("class");
        shown.remove();
        for (const button of form.querySelectorAll("[formtarget]")) button.formTarget = next.name;
        if (changed) soon();
    }

    function soon() {
        changed = false;
        clearTimeout(timer);
        timer = setTimeout(show, WAIT_MS);
    }

    form.addEventListener("input", (event) => { if (event.target.type !== "file") soon(); });
    form.addEventListener("submit", () => clearTimeout(timer));
})();
