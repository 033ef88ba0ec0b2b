// Variables by a click: each is a button that puts it where the caret was last. Without the script they are texts.
(() => {
    "use strict";
    const box = document.getElementById("variables"), said = box.querySelector("[role=status]");
    const WHOLE = /^\{\{\s*((?:(?!\}\}).)+?)\s*\}\}$/;
    let last = null;

    const takes = (field) => field.dataset?.takes;
    const nameOf = (field) => field.labels[0]?.textContent.trim() ?? "the field";

    document.addEventListener("focusin", (event) => { if (takes(event.target)) last = event.target; });

    // between {{ and }} another pair of them would be wrong
    function isInside(field) {
        const before = field.value.slice(0, field.selectionStart);
        const after = (one, other) => Math.max(before.lastIndexOf(one), before.lastIndexOf(other));
        return after("{{", "{%") > after("}}", "%}");
    }

    function fitting(field, { written, path }) {
        if (takes(field) === "path") return path;
        if (takes(field) === "text" && written.startsWith("<")) return "";
        return isInside(field) ? (WHOLE.exec(written)?.[1] ?? written) : written;
    }

    // as if it were typed: it can be undone, and an input event tells of it
    function put(field, text) {
        if (document.execCommand("insertText", false, text)) return;
        field.setRangeText(text, field.selectionStart, field.selectionEnd, "end");
        field.dispatchEvent(new InputEvent("input", { bubbles: true, inputType: "insertText", data: text }));
    }

    function insert(variable) {
        if (!last?.isConnected) {
            said.textContent = "Where to? Click into a text first, then on the variable.";
            return;
        }
        const text = fitting(last, variable);
        if (!text) {
            said.textContent = `This does not go into ${nameOf(last)}.`;
            return;
        }
        const closed = last.closest("details:not([open])");
        if (closed) closed.open = true;
        last.focus();
        if (takes(last) === "path") last.select();
        put(last, text);
        said.textContent = `${text} was put into ${nameOf(last)}.`;
    }

    for (const code of box.querySelectorAll("code[data-path]")) {
        const button = document.createElement("button");
        button.type = "button";
        button.className = "variable";
        code.replaceWith(button);
        button.append(code);
        const about = button.nextElementSibling;
        if (about) button.setAttribute("aria-describedby", about.id);
        button.addEventListener("click", () => insert({ written: code.textContent, path: code.dataset.path }));
    }
    box.querySelector("[hidden]").hidden = false;
})();
