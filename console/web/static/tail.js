// Records of a topic as they come: followed by a button, held back while paused, the newest alone kept.
(() => {
    "use strict";
    const KEPT = 200, QUIET_MS = 10000;
    const tail = document.getElementById("tail"), button = tail.querySelector("button"), word = tail.querySelector(".state");
    const said = document.getElementById("said"), table = document.getElementById("records");
    let connection = null, state = "off", held = [], came = 0, passed = 0, announced = 0;

    const number = (one) => one.toLocaleString("en");
    const isOurs = (event) => event.target === tail;

    function tell(trouble) {
        const parts = [];
        if (state === "over") parts.push("not followed any more: load the page again");
        else if (trouble) parts.push(trouble);
        else if (state === "paused") parts.push("paused");
        else if (state === "on") parts.push("following");
        if (came) parts.push(`${number(came)} came${came > KEPT ? `, the newest ${KEPT} are kept` : ""}`);
        if (passed) parts.push(`${number(passed)} were passed over`);
        word.className = `state ${trouble ? "late" : { on: "live", paused: "paused", over: "over" }[state] ?? ""}`;
        word.textContent = parts.join("; ");
        button.hidden = state === "over";
        button.textContent = { on: "Pause", paused: held.length ? `Show ${number(held.length)} new` : "Go on" }[state] ?? "Follow what comes";
        if (came && Date.now() > announced + QUIET_MS) {
            said.textContent = word.textContent;
            announced = Date.now();
        }
    }

    function show() {
        if (held.length) {
            document.getElementById("nothing")?.remove();
            table.closest(".wide").hidden = false;
        }
        table.prepend(...held);
        held = [];
        while (table.rows.length > KEPT) table.deleteRow(-1);
    }

    function take(text) {
        const holder = document.createElement("template");
        holder.innerHTML = text;
        const rows = [...holder.content.querySelectorAll("tr")];
        came += rows.length;
        passed += Math.max(0, rows.length + held.length - KEPT);
        held = [...rows, ...held].slice(0, KEPT);
        if (state === "on") show();
        tell();
    }

    tail.addEventListener("htmx:sse:before:message", (event) => {
        if (event.detail.message.event) return;
        event.preventDefault();
        take(event.detail.message.data);
    });
    tail.addEventListener("skipped", (event) => {
        passed += Number(event.detail.data);
        tell();
    });
    tail.addEventListener("over", () => {
        state = "over";
        tell();
    });
    const stopped = (event) => {
        if (isOurs(event) && (state === "off" || state === "over" || document.hidden)) event.preventDefault();
    };
    const failed = (event) => { if (isOurs(event) && state !== "over") tell("no answer, trying again"); };
    document.addEventListener("htmx:before:request", stopped);
    document.addEventListener("htmx:sse:before:connection", stopped);
    for (const name of ["htmx:error", "htmx:sse:error", "htmx:response:error"]) document.addEventListener(name, failed);
    document.addEventListener("htmx:sse:after:connection", (event) => {
        connection = event.detail.connection;
        tell();
    });
    document.addEventListener("htmx:sse:close", () => { connection = null; });
    document.addEventListener("visibilitychange", () => {
        if (!document.hidden && !connection && state !== "off") htmx.trigger(tail, "follow");
    });
    // whoever opens a record reads it: nothing moves meanwhile
    table.addEventListener("toggle", (event) => {
        if (state === "on" && event.target.open) {
            state = "paused";
            tell();
        }
    }, true);
    button.addEventListener("click", () => {
        if (state === "on") {
            state = "paused";
        } else {
            const begins = state === "off";
            state = "on";
            show();
            if (begins) htmx.trigger(tail, "follow");
        }
        tell();
    });
    tail.hidden = false;
})();
