// graphile-worker and nodemailer at the settings that send most: jobs claimed by the hundred, one connection of the pool for each mail at hand, no reconnects.
import { readFileSync } from "node:fs";
import { run } from "graphile-worker";
import nodemailer from "nodemailer";

const connections = Number(process.env.CONNECTIONS);
const [html, text] = [readFileSync(process.env.HTML, "utf8"), readFileSync(process.env.TEXT, "utf8")];
const transport = nodemailer.createTransport({
  pool: true, host: "127.0.0.1", port: Number(process.env.RELAY_PORT), secure: false, ignoreTLS: true, maxConnections: connections, maxMessages: Infinity,
});
const runner = await run({
  preset: { worker: { connectionString: process.env.DATABASE, concurrentJobs: connections, maxPoolSize: 10, pollInterval: 1000, localQueue: { size: 100 }, completeJobBatchDelay: 0 } },
  taskList: {
    send: async ({ id, to }) => {
      await transport.sendMail({ from: "Ariya <no-reply@example.com>", to, subject: "Confirm your e-mail address", html, text, messageId: `<${id}@example.com>` });
    },
  },
});
await runner.promise;
