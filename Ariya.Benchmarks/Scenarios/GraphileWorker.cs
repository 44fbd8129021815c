using System.Diagnostics;
using System.Globalization;
using Ariya.Benchmarks.Ground;
using Ariya.Benchmarks.Load;
using Ariya.Benchmarks.Measuring;

namespace Ariya.Benchmarks.Scenarios;

/// <summary>A queue that many use for mails, with the client that many use: graphile-worker and nodemailer, installed from npm for this run.</summary>
internal sealed class GraphileWorker : IAsyncDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);

    private readonly RunningProgram _program;
    private readonly Database _database;

    private GraphileWorker(RunningProgram program, Database database, MailSink sink)
    {
        _program = program;
        _database = database;
        var rate = 400.0;
        Side = new Side("graphile-worker and nodemailer", async length =>
        {
            var count = Math.Max(200, (int)(rate * length.TotalSeconds));
            var all = sink.ExpectAsync(count);
            // It tells its workers by itself, at the commit.
            await database.ExecuteAsync(
                "select count(graphile_worker.add_job('send', json_build_object('id', replace(uuidv7()::text, '-', ''), 'to', n || '@example.com'))) from generate_series(1, $1) n", count);
            var committed = Stopwatch.GetTimestamp();
            await all.WaitAsync(s_patience);
            rate = count / Stopwatch.GetElapsedTime(committed).TotalSeconds;
            await database.UntilAsync("select not exists (select 1 from graphile_worker.jobs)", "jobs that were done are written down");
            return rate;
        });
    }

    public Side Side { get; }

    public static async Task<GraphileWorker> StartAsync(Bench bench, MailSink sink, int connections)
    {
        var folder = Path.Combine(AppContext.BaseDirectory, "programs", "graphile-worker");
        Directory.CreateDirectory(folder);
        foreach (var file in new[] { "package.json", "worker.mjs" })
        {
            File.Copy(Path.Combine(Programs.Checkout, "Ariya.Benchmarks", "Peers", "GraphileWorker", file), Path.Combine(folder, file), overwrite: true);
        }

        await Tool.RunAsync(Tool.Require("npm", "npm"), ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock"], folder: folder);
        var (html, text) = MailDrain.Rendered();
        await File.WriteAllTextAsync(Path.Combine(folder, "mail.html"), html);
        await File.WriteAllTextAsync(Path.Combine(folder, "mail.txt"), text);
        var database = new Database(await bench.Servers.CreateEmptyDatabaseAsync("graphile"));
        var program = await bench.Programs.StartAsync(Tool.Require("node", "nodejs"), ["worker.mjs"], folder, port: 0,
            ("NODE_ENV", "production"), ("NO_LOG_SUCCESS", "1"), ("CONNECTIONS", Invariant(connections)), ("RELAY_PORT", Invariant(sink.Port)),
            ("HTML", Path.Combine(folder, "mail.html")), ("TEXT", Path.Combine(folder, "mail.txt")),
            ("DATABASE", $"postgres://{bench.Servers.User}:{Uri.EscapeDataString(bench.Servers.Password)}@127.0.0.1:{Invariant(bench.Servers.Port)}/{database.Name}"));
        // It makes its schema at its start.
        await database.UntilAsync("select to_regclass('graphile_worker.jobs') is not null", "graphile-worker starts", () => program.HasEnded);
        return new GraphileWorker(program, database, sink);
    }

    public async ValueTask DisposeAsync()
    {
        await _program.DisposeAsync();
        await _database.DisposeAsync();
    }

    private static string Invariant(int number) => number.ToString(CultureInfo.InvariantCulture);
}
