// Fills the same texts and sends them through nodemailer's pool, as many connections as ours has; prints seconds.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
const [, , folder, file, port, connections] = process.argv;
const nodemailer = createRequire(`${folder}/`)("nodemailer");
const { subject, text, html, rows } = JSON.parse(readFileSync(file, "utf8"));
const transport = nodemailer.createTransport({
  host: "127.0.0.1", port: Number(port), secure: false, ignoreTLS: true,
  pool: true, maxConnections: Number(connections), maxMessages: Infinity,
});
const fill = (source, row) => source.replace(/\{\{ (\w+) \}\}/g, (_, name) => row[name]);
let next = 0;
const work = async () => {
  while (next < rows.length) {
    const row = rows[next++];
    await transport.sendMail({
      from: { name: "The Shop", address: "shop@example.com" }, to: { name: row.name, address: row.email },
      subject: fill(subject, row), text: fill(text, row), html: fill(html, row),
      messageId: `<${row.id}@example.com>`,
      headers: {
        "Auto-Submitted": "auto-generated", "Feedback-ID": "codes:marketing:shop:tidings",
        "List-Unsubscribe": `<${row.unsubscribe_url}>`, "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
      },
    });
  }
};
const began = process.hrtime.bigint(), cpu = process.cpuUsage();
await Promise.all(Array.from({ length: Number(connections) * 2 }, work));
const seconds = Number(process.hrtime.bigint() - began) / 1e9, used = process.cpuUsage(cpu);
transport.close();
console.log(JSON.stringify({ seconds, cpu: (used.user + used.system) / 1e6 }));
