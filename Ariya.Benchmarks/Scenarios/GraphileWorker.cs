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

    private readonly Process _process;
    private readonly Database _database;

    private GraphileWorker(Process process, Database database, MailSink sink)
    {
        _process = process;
        _database = database;
        var rate = 400.0;
        Side = new Side("graphile-worker and nodemailer", async length =>
        {
            var count = Math.Max(200, (int)(rate * length.TotalSeconds));
            var all = sink.ExpectAsync(count);
            var started = Stopwatch.GetTimestamp();
            // It tells its workers by itself, at the commit.
            await database.ExecuteAsync(
                "select count(graphile_worker.add_job('send', json_build_object('id', replace(uuidv7()::text, '-', ''), 'to', n || '@example.com'))) from generate_series(1, $1) n", count);
            var committed = Stopwatch.GetTimestamp();
            await all.WaitAsync(s_patience);
            rate = count / Stopwatch.GetElapsedTime(committed).TotalSeconds;
            for (; await database.ScalarAsync<long>("select count(*) from graphile_worker.jobs") > 0; await Task.Delay(10))
            {
                if (Stopwatch.GetElapsedTime(started) > s_patience)
                {
                    throw new WrongWorkException("Jobs that were done are not written down.");
                }
            }

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
        var start = new ProcessStartInfo(Tool.Require("node", "nodejs"), ["worker.mjs"]) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["NODE_ENV"] = "production";
        // A line for each job otherwise.
        start.Environment["NO_LOG_SUCCESS"] = "1";
        start.Environment["CONNECTIONS"] = connections.ToString(CultureInfo.InvariantCulture);
        start.Environment["RELAY_PORT"] = sink.Port.ToString(CultureInfo.InvariantCulture);
        start.Environment["HTML"] = Path.Combine(folder, "mail.html");
        start.Environment["TEXT"] = Path.Combine(folder, "mail.txt");
        start.Environment["DATABASE"] = $"postgres://{bench.Servers.User}:{Uri.EscapeDataString(bench.Servers.Password)}@127.0.0.1:{bench.Servers.Port.ToString(CultureInfo.InvariantCulture)}/{database.Name}";
        var process = Process.Start(start)!;
        process.OutputDataReceived += (_, _) => { };
        process.ErrorDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        // It makes its schema at its start.
        for (var started = Stopwatch.GetTimestamp(); !await database.ScalarAsync<bool>("select to_regclass('graphile_worker.jobs') is not null"); await Task.Delay(50))
        {
            if (process.HasExited || Stopwatch.GetElapsedTime(started) > s_patience)
            {
                process.Kill();
                throw new InvalidOperationException("graphile-worker did not start.");
            }
        }

        return new GraphileWorker(process, database, sink);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
        await _database.DisposeAsync();
    }
}
