// What channels post follows the form: a moment after the last change it is asked for again, with all that is written.
(() => {
    "use strict";
    const WAIT_MS = 600;
    const form = document.querySelector("form.builder");
    let timer = 0, asked = 0;

    async function follow() {
        const number = ++asked, body = new URLSearchParams(new FormData(form));
        body.set("do", "stay");
        try {
            const reply = await fetch(form.action, { method: "POST", body });
            const page = new DOMParser().parseFromString(await reply.text(), "text/html");
            if (number !== asked) return; // a newer one is on its way
            for (const shown of document.querySelectorAll(".output")) {
                const made = page.getElementById(shown.id);
                if (made) shown.replaceChildren(...made.childNodes);
            }
        } catch {
            // the button that shows it says what is in the way
        }
    }

    form.addEventListener("input", () => {
        clearTimeout(timer);
        timer = setTimeout(follow, WAIT_MS);
    });
    form.addEventListener("submit", () => clearTimeout(timer));
})();
