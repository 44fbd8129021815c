using System.Diagnostics;
using System.Globalization;
using Ariya.Benchmarks.Ground;
using Ariya.Benchmarks.Load;
using Ariya.Benchmarks.Measuring;
using Ariya.Hosting.Local.Processes;
using Ariya.Worker.Mail;
using Ariya.Worker.Mail.Smtp;

namespace Ariya.Benchmarks.Scenarios;

/// <summary>
/// The outbox worked off: mails of registrations, each with a link that is minted for it, committed at once; until the last of them is at the relay. Against
/// the same SMTP client in a loop without a database, smtp-source, what a relay 5 ms away allows, and graphile-worker with nodemailer.
/// </summary>
internal static class MailDrain
{
    private const int Connections = 8;
    private const int RoundTrips = 3;
    private static readonly TimeSpan s_delay = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);

    public static async Task RunAsync(Bench bench)
    {
        await using var database = await PreparedAsync(bench, "mail_drain");
        await using var sink = new MailSink();
        await using var worker = await bench.Programs.StartWorkerAsync(database, sink.Port, ("Outbox__Connections", Number(Connections)));
        var drain = Drain(database, sink);
        await using var loop = new BareLoop(sink);
        bench.Report.Add(await bench.Compare("Mails, no latency", drain, loop.Side, 0.80, "mails", isLong: true).RunAsync());
        await BesideSmtpSourceAsync(bench, drain, sink);
        await BesideGraphileWorkerAsync(bench, drain, sink);
    }

    /// <summary>With a relay that answers 5 ms later: three times for each mail.</summary>
    public static async Task OverNetworkAsync(Bench bench)
    {
        await using var database = await PreparedAsync(bench, "mail_network");
        await using var sink = new MailSink(s_delay);
        await using var worker = await bench.Programs.StartWorkerAsync(database, sink.Port, ("Outbox__Connections", Number(Connections)));
        var drain = Drain(database, sink);
        await drain.RunAsync(bench.Effort.LongLength);
        // Not in turn: the limit is computed from how long the answers of that very slice waited.
        var ratios = new List<double>();
        var rates = new List<double>();
        for (var i = 0; i < bench.Effort.LongRounds; i++)
        {
            rates.Add(await drain.RunAsync(bench.Effort.LongLength));
            ratios.Add(rates[^1] * RoundTrips * sink.MeanDelay.TotalSeconds / Connections);
        }

        var found = new Finding("Mails, relay 5 ms away", "outbox", "8 connections, 3 waits", 0.90, Statistics.MedianOf(ratios), ratios.Count, 0,
            Statistics.Median(rates), Connections / (RoundTrips * sink.MeanDelay.TotalSeconds), "mails");
        bench.Report.Add(found);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{found.Name} … {found.Ratio.Median:0.00}, {found.FirstRate:0} mails/s, an answer waits {sink.MeanDelay.TotalMilliseconds:0.0} ms"));
    }

    /// <summary>A database in which as many people wait for their mail as are sent in a slice, or more.</summary>
    public static async Task<Database> PreparedAsync(Bench bench, string name)
    {
        var database = new Database(await bench.Servers.CreateDatabaseAsync(name));
        await database.ExecuteAsync(
            """
            insert into registrations (id, email, email_canonical, password_hash, first_name, last_name, fingerprint, network, user_agent, expires_at)
            select md5('r' || n)::uuid, n || '@example.com', n || '@example.com', 'none', 'Grace', 'Hopper', sha256(n::text::bytea), '127.0.0.0/24', 'Ariya.Benchmarks', now() + interval '7 days'
            from generate_series(1, 20000) n
            """);
        await database.SettleAsync();
        return database;
    }

    /// <summary>Mails in the outbox, without anybody being told.</summary>
    public static Task CommitAsync(Database database, int count) => database.ExecuteAsync(
        """
        insert into outbox_messages (id, mail_id, kind, payload, recipient, deliver_before, salt)
        select uuidv7(), uuidv7(), 'mail.registration.v1', jsonb_build_object('registrationId', md5('r' || (1 + n % 20000))::uuid), (1 + n % 20000) || '@example.com',
               clock_timestamp() + interval '24 hours', decode(md5('salt' || n || clock_timestamp()), 'hex')
        from generate_series(1, $1) n
        """, count);

    private static Side Drain(Database database, MailSink sink)
    {
        var rate = 400.0;
        return new Side("outbox", async length =>
        {
            var count = Math.Max(200, (int)(rate * length.TotalSeconds));
            var all = sink.ExpectAsync(count);
            await CommitAsync(database, count);
            var started = Stopwatch.GetTimestamp();
            await database.ExecuteAsync("select pg_notify('ariya_outbox', '')");
            await all.WaitAsync(s_patience);
            rate = count / Stopwatch.GetElapsedTime(started).TotalSeconds;
            // Written down too, before anything else is measured; and none came twice.
            await database.UntilAsync("select not exists (select 1 from outbox_messages where state in ('pending', 'leased', 'retry'))", "mails that were sent are written down");
            return sink.Doubles == 0 && sink.Count == count ? rate : throw new WrongWorkException($"{sink.Count} mails of {count}, {sink.Doubles} came twice.");
        });
    }

    private static async Task BesideSmtpSourceAsync(Bench bench, Side drain, MailSink sink)
    {
        if (Executables.Find("smtp-source") is not { } program)
        {
            bench.Report.NotRun("Mails, beside smtp-source", "smtp-source is not there: it comes with the package postfix");
            return;
        }

        var rate = 2000.0;
        var source = new Side("smtp-source -d", async length =>
        {
            var count = (int)(rate * length.TotalSeconds);
            var all = sink.ExpectAsync(count);
            var started = Stopwatch.GetTimestamp();
            await Tool.RunAsync(program, ["-d", "-s", Number(Connections), "-m", Number(count), "-l", "4000", "-f", "a@example.com", "-t", "b@example.com", $"127.0.0.1:{Number(sink.Port)}"]);
            await all.WaitAsync(s_patience);
            return rate = count / Stopwatch.GetElapsedTime(started).TotalSeconds;
        });
        bench.Report.Add(await bench.Compare("Mails, beside smtp-source", drain, source, null, "mails", isLong: true).RunAsync());
    }

    private static async Task BesideGraphileWorkerAsync(Bench bench, Side drain, MailSink sink)
    {
        await using var peer = await GraphileWorker.StartAsync(bench, sink, Connections);
        bench.Report.Add(await bench.Compare("Mails, beside graphile-worker and nodemailer", drain, peer.Side, 2.0, "mails", isLong: true).RunAsync());
    }

    private static string Number(int number) => number.ToString(CultureInfo.InvariantCulture);

    /// <summary>The mail of a registration, as the worker renders it.</summary>
    public static (string Html, string Text) Rendered() => new MailTemplate("VerifyEmail").Render(
        ("firstName", "Grace"), ("lastName", "Hopper"), ("link", "https://accounts.example.com/verify-email?token=0123456789012345678901234567890123456789012"), ("code", "123456"),
        ("when", "26 November 2026, 12:00 UTC"), ("network", "127.0.0.0/24"), ("userAgent", "Ariya.Benchmarks"));

    /// <summary>The worker's own client on as many connections, each sending one rendered mail after the other.</summary>
    private sealed class BareLoop : IAsyncDisposable
    {
        private readonly List<SmtpTransport> _transports;
        private double _rate = 400;

        public BareLoop(MailSink sink)
        {
            var settings = new SmtpSettings("127.0.0.1", sink.Port, SmtpSecurity.None, null, null, "no-reply@example.com", "Ariya");
            _transports = [.. Enumerable.Range(0, Connections).Select(_ => new SmtpTransport(settings, TimeProvider.System))];
            Side = new Side("the same SMTP client in a loop", async length =>
            {
                var count = Math.Max(200, (int)(_rate * length.TotalSeconds));
                var all = sink.ExpectAsync(count);
                var left = count;
                var (html, text) = Rendered();
                var started = Stopwatch.GetTimestamp();
                await Task.WhenAll(_transports.Select(transport => Task.Run(async () =>
                {
                    while (Interlocked.Decrement(ref left) >= 0)
                    {
                        var report = await transport.SendAsync(new OutgoingMail(Guid.CreateVersion7(), "1@example.com", "", "Confirm your e-mail address", html, text), CancellationToken.None);
                        if (report.Outcome != DeliveryOutcome.Accepted)
                        {
                            throw new WrongWorkException($"{report.Outcome}: {report.Reply}");
                        }
                    }
                })));
                await all.WaitAsync(s_patience);
                return _rate = count / Stopwatch.GetElapsedTime(started).TotalSeconds;
            });
        }

        public Side Side { get; }

        public async ValueTask DisposeAsync()
        {
            foreach (var transport in _transports)
            {
                await transport.DisposeAsync();
            }
        }
    }
}
